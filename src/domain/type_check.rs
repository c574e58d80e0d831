//! The items of a request, held against their project's plans together: what is new, what does not fit, and what becomes of it.

use super::command::{Command, Item};
use super::field_type::FieldType;
use super::limits::Limits;
use super::rules::TypeRule;
use super::tracking_plan::{Category, Judged, Mismatch, Types, judge};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is told of one request: a body of a thousand wrong values is not answered with as many.
const MOST_TOLD: usize = 100;

/// What is known of the plans that a request is about.
pub type Plans = BTreeMap<Category, Arc<Types>>;

/// What a dialect asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms<'a> {
    /// Where the plan is enforced, what does not fit refuses the request instead of being left out.
    pub refuses: bool,
    /// Of each item, whether it may have fields that are new; empty where all may.
    pub creates: &'a [bool],
}

/// Fields for which a plan has no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surplus {
    pub limit: usize,
    /// How many there would be.
    pub total: usize,
    /// The new ones, as far as they are told.
    pub names: Vec<String>,
}

/// What is told of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Nothing of it may be written.
    pub is_refused: bool,
    pub mismatches: Vec<Mismatch>,
    pub surplus: Option<Surplus>,
    /// Fields that it made.
    pub created: BTreeSet<String>,
    /// New fields that it was not to make, and that were left out.
    pub filtered: BTreeSet<String>,
}

/// Items that were looked at, and not touched yet.
#[derive(Debug, Default)]
pub struct Look {
    /// Items with a category of which not every field is known and fits.
    unclean: Vec<(usize, Category)>,
    /// Fields to be fixed.
    pub new: BTreeMap<Category, BTreeMap<String, FieldType>>,
    pub told: Told,
}

impl Terms<'_> {
    fn creates(&self, place: usize) -> bool {
        self.creates.get(place).copied().unwrap_or(true)
    }
}

/// How many fields the plan of a category may have.
pub fn room_of(category: &Category, limits: &Limits) -> usize {
    match category {
        Category::User | Category::Group => limits.user_fields,
        Category::Event(_) => limits.event_fields,
    }
}

impl Look {
    /// Looks at items. Of two that state a new field the first fixes its type.
    pub fn over(items: &[Item], plans: &Plans, terms: &Terms<'_>, limits: &Limits) -> Self {
        let mut look = Self::default();
        for (place, item) in items.iter().enumerate() {
            let Some(command) = item.command() else {
                continue;
            };
            for category in command.categories() {
                look.at(command, (place, category), plans, (terms, limits));
            }
            let is_wrong = !look.told.mismatches.is_empty() || look.told.surplus.is_some();
            look.told.is_refused |=
                terms.refuses && command.types() == TypeRule::Enforce && is_wrong;
        }
        look
    }

    fn at(
        &mut self,
        command: &Command,
        (place, category): (usize, Category),
        plans: &Plans,
        (terms, limits): (&Terms<'_>, &Limits),
    ) {
        let stated = command.stated(&category);
        let known = |path: &str| plans.get(&category)?.get(path);
        if judge(&category, &stated, known).is_clean() {
            return;
        }
        let own = self.new.entry(category.clone()).or_default();
        let judged = judge(&category, &stated, |path| {
            known(path).or_else(|| own.get(path).copied())
        });
        let room = room_of(&category, limits);
        let count = plans.get(&category).map_or(0, |types| types.count());
        if terms.creates(place) {
            for (path, its_type) in judged.unknown {
                if count + own.len() < room {
                    own.insert(path, its_type);
                } else {
                    self.told.add_surplus(path, own, (count, room));
                }
            }
        }
        let left = MOST_TOLD.saturating_sub(self.told.mismatches.len());
        let mismatches = judged.mismatches.into_iter();
        self.told.mismatches.extend(mismatches.take(left));
        self.unclean.push((place, category));
    }

    /// The places of the items of which not every field is known and fits, where a field of one of them is to be fixed.
    pub fn newcomers(&self) -> BTreeSet<usize> {
        let is_new = self.new.values().any(|fields| !fields.is_empty());
        let unclean = self.unclean.iter().filter(|_| is_new);
        unclean.map(|(place, _)| *place).collect()
    }

    /// Tells and leaves out what does not fit, now that it is known who fixed what; the items are held against no plan again.
    pub fn settle(
        self,
        items: &mut [Item],
        plans: &Plans,
        terms: &Terms<'_>,
        limits: &Limits,
    ) -> Told {
        let mut told = Told {
            surplus: self.told.surplus,
            ..Told::default()
        };
        for (place, category) in self.unclean {
            if let Item::Command(command) = &mut items[place] {
                let creates = terms.creates(place);
                told.settle(command, &category, plans, (creates, limits));
            }
        }
        for item in items {
            if let Item::Command(command) = item {
                told.is_refused |= terms.refuses
                    && command.types() == TypeRule::Enforce
                    && !told.mismatches.is_empty();
                command.settle_types();
            }
        }
        told
    }
}

impl Told {
    fn add_surplus(
        &mut self,
        path: String,
        new: &BTreeMap<String, FieldType>,
        (count, limit): (usize, usize),
    ) {
        let surplus = self.surplus.get_or_insert_with(|| Surplus {
            limit,
            total: count + new.len(),
            names: new.keys().take(MOST_TOLD).cloned().collect(),
        });
        surplus.total += 1;
        if surplus.names.len() < MOST_TOLD {
            surplus.names.push(path);
        }
    }

    fn settle(
        &mut self,
        command: &mut Command,
        category: &Category,
        plans: &Plans,
        (creates, limits): (bool, &Limits),
    ) {
        let types = plans.get(category);
        let stated = command.stated(category);
        let judged = judge(category, &stated, |path| types?.get(path));
        let is_enforced = command.types() == TypeRule::Enforce;
        let mut left_out = BTreeSet::new();
        for mismatch in &judged.mismatches {
            command.warn_of_type(mismatch, is_enforced);
            if is_enforced {
                left_out.insert(mismatch.path.as_str());
            }
        }
        // Where not even the first field was taken it is the project that has no room: its events are kept as they are.
        let has_plan = types.is_some_and(|types| types.count() > 0);
        for (path, _) in &judged.unknown {
            if !creates {
                self.filter(path);
                left_out.insert(path);
                continue;
            }
            let is_left_out = is_enforced && has_plan;
            command.warn_of_room((category, path), room_of(category, limits), is_left_out);
            if is_left_out {
                left_out.insert(path);
            }
        }
        self.leave_out(command, (category, &judged), &left_out);
    }

    fn filter(&mut self, path: &str) {
        if self.filtered.len() < MOST_TOLD {
            self.filtered.insert(path.to_owned());
        }
    }

    fn leave_out(
        &mut self,
        command: &mut Command,
        (category, judged): (&Category, &Judged),
        paths: &BTreeSet<&str>,
    ) {
        if !paths.is_empty() {
            command.leave_out(category, paths);
        }
        if !judged.mismatches.is_empty() {
            command.keep_unfit(&judged.mismatches);
        }
        let left = MOST_TOLD.saturating_sub(self.mismatches.len());
        let told = judged.mismatches.iter().take(left).cloned();
        self.mismatches.extend(told);
    }
}

#[cfg(test)]
#[path = "type_check_tests.rs"]
mod tests;
