//! Tracking plans as a node knows them, and the step between the gate and the lanes that holds items against them.
//!
//! What is remembered decides nothing but whether the database is asked: a type is fixed once, by one statement, and whoever comes
//! second is judged by the first. Fields that are known cost no statement; a category is read again after a minute, since
//! somebody may have had a type forgotten. Where the memory is full, what was used least is read again when it is needed.

use super::unwritten::unwritten;
use crate::domain::tracking_plan::{Category, Types};
use crate::domain::type_check::{Look, Plans, Terms, Told};
use crate::domain::{Command, FieldType, Item, Limits, ProjectId, TypeRule};
use crate::store::{Error, Store, TypedField};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

/// Bytes of plans that are remembered: thousands of them, and room for the largest.
const MEMORY: u64 = 16 << 20;
/// About so many categories have room there.
const CATEGORIES: usize = 10_000;
/// How long a category is remembered.
const LIFETIME: Duration = Duration::from_secs(60);
/// Categories that are read by one statement.
const PART: usize = 100;
/// Projects of one turn read and write plans one at a time: a flood of new fields holds no more than one connection of each.
const TURNS: usize = 16;
/// Fields that all plans of a project have together, beyond which no event gets a plan: names of events that are data must not fill
/// the table.
const MOST_OF_A_PROJECT: usize = 100_000;
/// Projects of one turn of which it is remembered how many fields they have.
const MOST_COUNTED: usize = 1_000;

type Key = (ProjectId, Category);

/// The plans.
pub(super) struct FieldTypes {
    known: Cache<Key, Known, ByBytes, DefaultHashBuilder, DefaultLifecycle<Key, Known>>,
    turns: [Mutex<Counts>; TURNS],
    limits: Limits,
}

/// How many fields projects have, and until when that is believed.
type Counts = HashMap<ProjectId, (usize, Instant)>;

#[derive(Clone)]
struct Known {
    types: Arc<Types>,
    bytes: u64,
    until: Instant,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Key, Known> for ByBytes {
    fn weight(&self, _: &Key, known: &Known) -> u64 {
        known.bytes
    }
}

impl FieldTypes {
    pub fn new(limits: &Limits) -> Self {
        let mut options = OptionsBuilder::new();
        // A shard has its part of the room, and a plan has to fit into one.
        options
            .shards(1)
            .estimated_items_capacity(CATEGORIES)
            .weight_capacity(MEMORY);
        let options = options.build().expect("all that it asks for is set");
        Self {
            known: Cache::with_options(
                options,
                ByBytes,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            turns: Default::default(),
            limits: limits.clone(),
        }
    }

    /// Holds items of a project against its plans: fixes the types of new fields, tells what does not fit, and leaves it out where
    /// the plan is enforced. A second time nothing is done. What will not be written is held against none, and fixes nothing.
    ///
    /// # Errors
    /// When the database does not answer; but for what will not be written, the items are as they were.
    pub async fn check(
        &self,
        store: &Store,
        project_id: ProjectId,
        items: &mut [Item],
        terms: &Terms<'_>,
    ) -> Result<Told, Error> {
        let commands = items.iter().filter_map(Item::command);
        let mut planned = commands.filter(|command| command.types() != TypeRule::Off);
        let Some(first) = planned.next() else {
            return Ok(Told::default());
        };
        let mut categories: BTreeSet<Category> = first.categories().into_iter().collect();
        categories.extend(planned.flat_map(Command::categories));
        let mut plans = self.plans(store, project_id, categories).await?;
        let mut look = Look::over(items, &plans, terms, &self.limits);
        look.new.retain(|_, fields| !fields.is_empty());
        if !look.new.is_empty() {
            let mut counts = self.turn(project_id).await;
            keep_fixable((store, project_id), &mut counts, &mut look.new, &plans).await?;
        }
        if leave_unwritten(store, items, &look.newcomers()).await? {
            look = Look::over(items, &plans, terms, &self.limits);
        }
        if look.told.is_refused {
            return Ok(look.told);
        }
        let new = std::mem::take(&mut look.new);
        let created = self.fix(store, project_id, new, &mut plans).await?;
        let told = look.settle(items, &plans, terms, &self.limits);
        Ok(Told { created, ..told })
    }

    async fn plans(
        &self,
        store: &Store,
        project_id: ProjectId,
        categories: BTreeSet<Category>,
    ) -> Result<Plans, Error> {
        let mut plans = Plans::new();
        let mut missing: Vec<Category> = categories.into_iter().collect();
        self.recall(project_id, &mut missing, &mut plans);
        if missing.is_empty() {
            return Ok(plans);
        }
        let _turn = self.turn(project_id).await;
        self.recall(project_id, &mut missing, &mut plans);
        for part in missing.chunks(PART) {
            let until = Instant::now() + LIFETIME;
            let mut found = BTreeMap::<Category, Types>::new();
            for category in part {
                found.insert(category.clone(), Types::given(category));
            }
            for field in store.load_field_types(project_id, part).await? {
                let types = found.entry(field.category).or_default();
                types.learn(field.path, field.its_type);
            }
            for (category, types) in found {
                let types = self.remember((project_id, category.clone()), types, until);
                plans.insert(category, types);
            }
        }
        Ok(plans)
    }

    /// Takes what is remembered; what is not stays missing.
    fn recall(&self, project_id: ProjectId, missing: &mut Vec<Category>, plans: &mut Plans) {
        let now = Instant::now();
        missing.retain(|category| {
            let known = self.known.get(&(project_id, category.clone()));
            let known = known.filter(|known| now < known.until);
            let is_known = known.is_some();
            plans.extend(known.map(|known| (category.clone(), known.types)));
            !is_known
        });
    }

    fn remember(&self, key: Key, types: Types, until: Instant) -> Arc<Types> {
        let bytes = (types.bytes() + key.1.shown().len()) as u64;
        let types = Arc::new(types);
        let known = Known {
            types: types.clone(),
            bytes,
            until,
        };
        self.known.insert(key, known);
        types
    }

    async fn turn(&self, project_id: ProjectId) -> MutexGuard<'_, Counts> {
        self.turns[project_id.0.unsigned_abs() as usize % TURNS]
            .lock()
            .await
    }

    /// Fixes the types of new fields, and learns those that somebody else has fixed meanwhile; what was made here.
    async fn fix(
        &self,
        store: &Store,
        project_id: ProjectId,
        mut new: BTreeMap<Category, BTreeMap<String, FieldType>>,
        plans: &mut Plans,
    ) -> Result<BTreeSet<String>, Error> {
        new.retain(|_, fields| !fields.is_empty());
        if new.is_empty() {
            return Ok(BTreeSet::new());
        }
        // The turn is kept until they are fixed, or two requests could both take the last room.
        let mut counts = self.turn(project_id).await;
        keep_fixable((store, project_id), &mut counts, &mut new, plans).await?;
        let asked = listed(new);
        let made = store.fix_field_types(project_id, &asked).await?;
        if let Some((count, _)) = counts.get_mut(&project_id) {
            *count += made.len();
        }
        let own: BTreeSet<&TypedField> = made.iter().collect();
        let others: Vec<TypedField> = asked
            .iter()
            .filter(|field| !own.contains(field))
            .cloned()
            .collect();
        let others = store.find_field_types(project_id, &others).await?;
        let created = made.iter().map(|field| field.path.clone()).collect();
        self.learn(project_id, made.into_iter().chain(others), plans);
        Ok(created)
    }

    fn learn(
        &self,
        project_id: ProjectId,
        fields: impl Iterator<Item = TypedField>,
        plans: &mut Plans,
    ) {
        let mut grown = BTreeMap::<Category, Types>::new();
        for field in fields {
            let known = plans.get(&field.category);
            let types = grown
                .entry(field.category)
                .or_insert_with(|| known.map(|types| (**types).clone()).unwrap_or_default());
            types.learn(field.path, field.its_type);
        }
        for (category, types) in grown {
            let key = (project_id, category.clone());
            let known = self.known.get(&key);
            let until = known.map_or_else(Instant::now, |known| known.until);
            plans.insert(category, self.remember(key, types, until));
        }
    }
}

/// Leaves out what can't be fixed: a project with as many fields as it may have gets no plans for more events.
async fn keep_fixable(
    (store, project_id): (&Store, ProjectId),
    counts: &mut Counts,
    new: &mut BTreeMap<Category, BTreeMap<String, FieldType>>,
    plans: &Plans,
) -> Result<(), Error> {
    if is_full(store, project_id, counts).await? {
        let has_plan = |types: &Arc<Types>| types.count() > 0;
        new.retain(|category, _| plans.get(category).is_some_and(has_plan));
    }
    Ok(())
}

/// Holds what will not be written against no plan; false where all will be.
async fn leave_unwritten(
    store: &Store,
    items: &mut [Item],
    newcomers: &BTreeSet<usize>,
) -> Result<bool, Error> {
    if newcomers.is_empty() {
        return Ok(false);
    }
    let unwritten = unwritten(store, items, newcomers).await?;
    for place in &unwritten {
        if let Item::Command(command) = &mut items[*place] {
            command.settle_types();
        }
    }
    Ok(!unwritten.is_empty())
}

/// True where a project has as many fields as it may.
async fn is_full(store: &Store, project_id: ProjectId, counts: &mut Counts) -> Result<bool, Error> {
    let now = Instant::now();
    let known = counts.get(&project_id).filter(|(_, until)| now < *until);
    let count = match known {
        Some((count, _)) => *count,
        None => {
            let most = MOST_OF_A_PROJECT;
            let count = store.count_field_types(project_id, most).await?;
            if counts.len() >= MOST_COUNTED {
                counts.clear();
            }
            counts.insert(project_id, (count, now + LIFETIME));
            count
        }
    };
    Ok(count >= MOST_OF_A_PROJECT)
}

/// In the order of their keys, so that two statements do not wait for each other.
fn listed(new: BTreeMap<Category, BTreeMap<String, FieldType>>) -> Vec<TypedField> {
    let of_category = |(category, fields): (Category, BTreeMap<String, FieldType>)| {
        let field = move |(path, its_type)| TypedField {
            category: category.clone(),
            path,
            its_type,
        };
        fields.into_iter().map(field)
    };
    new.into_iter().flat_map(of_category).collect()
}
