//! A command and its project's tracking plan: what of it the plan is about, and what is told and left out of it.

use super::command::{Command, Event, EventType, Mode, TraitWrite};
use super::elements::as_whole;
use super::json::Json;
use super::stated::{Stated, without};
use super::tracking_plan::{APART, Category, Mismatch};
use super::warning::Warning;
use super::{FieldType, TypeRule, sizes};
use std::collections::{BTreeMap, BTreeSet};

/// The part of a path that a warning repeats.
const SHOWN_PATH_BYTES: usize = 100;
/// Values that are kept of one item.
const MOST_KEPT: usize = 16;

impl Command {
    /// What the plan of its project comes to; off where there is none, and once it was held against that.
    pub fn types(&self) -> TypeRule {
        self.types
    }

    /// It was held against the plan.
    pub fn settle_types(&mut self) {
        self.types = TypeRule::Off;
    }

    /// The plans that it is held against.
    pub fn categories(&self) -> Vec<Category> {
        if self.types == TypeRule::Off {
            return Vec::new();
        }
        let group = self.group.as_ref();
        let of_traits = [
            self.traits.as_ref().map(|_| Category::User),
            group.and_then(|group| group.traits.as_ref().map(|_| Category::Group)),
        ];
        let event = self.event.as_ref().and_then(Event::category);
        of_traits.into_iter().flatten().chain(event).collect()
    }

    /// The fields of one category.
    pub fn stated(&self, category: &Category) -> Stated {
        match category {
            Category::User => stated_by(self.traits.as_ref(), &APART),
            Category::Group => {
                let group = self.group.as_ref();
                stated_by(group.and_then(|group| group.traits.as_ref()), &[])
            }
            Category::Event(_) => {
                let event = self.event.as_ref();
                let members = event.and_then(|event| event.properties.members());
                let members = members.unwrap_or_default();
                let members = members.iter();
                let mut stated =
                    Stated::of(members.map(|(name, value)| (name.as_str(), value)), &[]);
                stated.flatten_lists();
                stated
            }
        }
    }

    /// Leaves fields of a category out. What an `identify` or a `group` says stands in its event too.
    pub fn leave_out(&mut self, category: &Category, paths: &BTreeSet<&str>) {
        let of_event = self.event.as_ref().map(|event| event.event_type);
        let is_in_event = match category {
            Category::User => {
                leave_out(&mut self.traits, paths);
                of_event == Some(EventType::Identify)
            }
            Category::Group => {
                if let Some(group) = &mut self.group {
                    leave_out(&mut group.traits, paths);
                }
                of_event == Some(EventType::Group)
            }
            Category::Event(_) => true,
        };
        if let Some(event) = self.event.as_mut().filter(|_| is_in_event) {
            let members = event.properties.members().unwrap_or_default();
            let left = without(members.into_iter(), paths);
            event.properties = Json::from_members(&left.into_iter().collect());
        }
    }

    /// Tells that a value is not what the plan says.
    pub fn warn_of_type(&mut self, mismatch: &Mismatch, is_left_out: bool) {
        let message = format!(
            "it is of type {} where the tracking plan says {}: {}",
            mismatch.incoming.as_str(),
            mismatch.expected.as_str(),
            became(is_left_out)
        );
        self.warn(
            "type_mismatch",
            (&mismatch.category, &mismatch.path),
            message,
        );
    }

    /// Tells that the plan has no room for a field.
    pub fn warn_of_room(&mut self, place: (&Category, &str), limit: usize, is_left_out: bool) {
        let message = format!(
            "the tracking plan has no room for it, over the limit of {limit} fields: {}",
            became(is_left_out)
        );
        self.warn("too_many_fields", place, message);
    }

    fn warn(&mut self, code: &'static str, (category, path): (&Category, &str), message: String) {
        let within = match category {
            Category::User | Category::Group => "traits",
            Category::Event(_) => "properties",
        };
        let shown = sizes::beginning(path, SHOWN_PATH_BYTES);
        let field = format!("{within}.{shown}");
        self.warnings.push(Warning::of(code, field, message));
    }

    /// Keeps the values that do not fit, for who looks them up, unless the whole item is kept.
    pub fn keep_unfit(&mut self, mismatches: &[Mismatch]) {
        if self.warnings.item().is_some() {
            return;
        }
        let kept = mismatches.iter().take(MOST_KEPT);
        let values: BTreeMap<String, Json> = kept
            .map(|mismatch| (mismatch.path.clone(), mismatch.value.clone()))
            .collect();
        let event = self.event.as_ref();
        let kind = event.map_or("profile", |event| event.event_type.as_str());
        let says = [
            ("type", Some(Json::of(&kind))),
            ("messageId", event.map(|event| Json::of(&event.message_id))),
            ("name", event.map(|event| Json::of(&event.name))),
            ("unfit", Some(Json::from_members(&values))),
        ];
        let says = says.into_iter();
        let says = says.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        self.warnings.keep(Json::from_members(&says.collect()));
    }
}

impl Event {
    /// The plan of its properties, where it is a custom event.
    fn category(&self) -> Option<Category> {
        let is_custom = self.event_type == EventType::Track;
        let name = self.name.as_ref().filter(|_| is_custom)?;
        Category::of_event(name)
    }
}

impl Stated {
    /// Of an event a list of objects is as an object: only profiles tell the two apart.
    fn flatten_lists(&mut self) {
        for field in self
            .fields_mut()
            .filter(|field| field.its_type == FieldType::Nested)
        {
            field.its_type = FieldType::Object;
        }
    }
}

fn stated_by(write: Option<&TraitWrite>, apart: &[&str]) -> Stated {
    let traits = write.iter().flat_map(|write| &write.traits);
    let whole: Vec<_> = traits
        .map(|(name, value)| (name.as_str(), as_whole(value)))
        .collect();
    Stated::of(whole.iter().map(|(name, value)| (*name, &**value)), apart)
}

fn leave_out(write: &mut Option<TraitWrite>, paths: &BTreeSet<&str>) {
    let Some(own) = write else { return };
    let traits = std::mem::take(&mut own.traits);
    own.traits = without(traits.into_iter(), paths);
    // A document that states nothing says that nothing is left; anything else says nothing then.
    if own.traits.is_empty() && own.mode != Mode::Document {
        *write = None;
    }
}

fn became(is_left_out: bool) -> &'static str {
    if is_left_out {
        "it is left out"
    } else {
        "it is stored as it came"
    }
}
