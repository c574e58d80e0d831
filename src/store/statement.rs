//! Every statement has a name, for metrics, for the database's own tools, and for the tests that prepare and explain them all.

use super::schema::open_clauses;
use super::{
    Engine, backfill_statements as backfill, blocks, comparisons, conflicts, criteria, devices,
    encoding, erase_older, erase_statements as erase, events, export, field_types, fields,
    forgotten, groups, heartbeat, import_statements as imports, invalidations, lease, listed_of,
    lists, lookup, merge, merge_record, migration, mirror_statements as mirror, others, owners,
    profiles, projects, pull_statements as pulls, reads, rejections, retention, rights, schema,
    split_statements as split, verification_statements as verification, worker, write_statements,
};

use std::borrow::Cow;

/// One SQL text that both databases take. Its first line is a comment with its name.
#[derive(Debug)]
pub struct Statement {
    /// The label in metrics.
    pub name: &'static str,
    /// The text, with `$n` for every value.
    pub sql: &'static str,
}

impl Statement {
    /// The text for one engine: on CockroachDB its `/*crdb ... */` clauses are opened, elsewhere they are comments.
    pub fn sql_for(&self, engine: Engine) -> Cow<'static, str> {
        match engine {
            Engine::CockroachDb => open_clauses(self.sql),
            Engine::PostgreSql => self.sql.into(),
        }
    }
}

pub(super) const PING: Statement = Statement {
    name: "ping",
    sql: "-- ping\nSELECT now()",
};

/// Every statement of the program.
pub fn catalogue() -> Vec<&'static Statement> {
    let of_the_rest = [
        of_people(),
        of_backfills(),
        of_imports(),
        of_pulls(),
        of_migrations(),
    ];
    [
        of_requests(),
        of_dialects(),
        of_upkeep(),
        of_the_rest.concat(),
    ]
    .concat()
}

fn of_people() -> Vec<&'static Statement> {
    vec![
        &merge_record::INSERT_MERGE_RECORDS,
        &merge_record::LOAD_MERGE_RECORDS,
        &merge_record::DELETE_MERGE_RECORDS,
        &others::FIND_OTHERS,
        &blocks::BLOCK_NAME,
        &blocks::UNBLOCK_NAME,
        &split::LOCK_FAMILY,
        &split::WRITE_KEPT,
        &split::WRITE_TAKEN,
        &split::REHOME_PROFILES,
        &split::TAKE_IDENTITIES,
        &split::REHOME_RECORDS,
        &split::CLEAN_RECORDS,
        &split::RECORD_SPLIT,
        &split::MOVE_EVENTS,
        &split::PUT_OFF_SPLIT,
        &split::MARK_MOVED,
        &split::FINISH_SPLIT,
        &split::LOAD_SPLITS,
        &split::DUE_SPLITS,
        &split::OPEN_SPLITS,
        &split::LEAVE_GROUPS,
    ]
}

fn of_backfills() -> Vec<&'static Statement> {
    vec![
        &backfill::OPEN_SOURCE,
        &backfill::LOAD_SOURCES,
        &backfill::LOAD_SOURCE,
        &backfill::SET_SOURCE,
        &backfill::TAKE_PARTITIONS,
        &backfill::MOVE_PARTITIONS,
        &backfill::NOTE_MISSED,
        &backfill::FIND_PARTITIONS,
        &backfill::FORGET_COUNTS,
        &backfill::FORGET_PARTITIONS,
        &backfill::LOAD_PARTITIONS,
        &backfill::LOAD_COUNTS,
        &backfill::RECORD_REFUSALS,
        &backfill::LOAD_REFUSALS,
        &backfill::FORGET_REFUSALS,
        &export::LOAD_EXPORT,
        &export::SAVE_EXPORT,
    ]
}

fn of_pulls() -> Vec<&'static Statement> {
    vec![
        &pulls::CREATE_PULL,
        &pulls::LOAD_PULL,
        &pulls::RENEW_PULL,
        &pulls::DUE_PULLS,
        &pulls::NOTE_PULL,
        &pulls::FORGET_PULL,
        &pulls::CREATE_SCHEDULE,
        &pulls::LOAD_SCHEDULES,
        &pulls::DELETE_SCHEDULE,
        &pulls::DUE_SCHEDULES,
        &pulls::ADVANCE_SCHEDULE,
        &pulls::FIND_FETCHED,
        &pulls::REMEMBER_FETCHED,
        &pulls::FORGET_FETCHED,
    ]
}

fn of_imports() -> Vec<&'static Statement> {
    vec![
        &imports::CREATE_IMPORT,
        &imports::LOAD_IMPORT,
        &imports::LOAD_IMPORTS,
        &imports::OPEN_IMPORT,
        &imports::ADVANCE_IMPORT,
        &imports::SET_IMPORT,
        &imports::SET_IMPORT_LENGTH,
        &imports::DUE_IMPORTS,
        &imports::FORGET_IMPORTS,
        &imports::LOAD_IMPORT_REFUSALS,
    ]
}

fn of_migrations() -> Vec<&'static Statement> {
    vec![
        &migration::LOAD_MIGRATION,
        &migration::TAKE_STEP,
        &migration::LOAD_STEPS,
        &migration::LOAD_REFUSED_DOCUMENTS,
        &migration::MEASURE_MIRROR,
        &migration::COUNT_OLD_NODES,
        &reads::LOAD_READS,
        &reads::SET_READS,
        &reads::LOAD_UNMIRRORED,
        &reads::FIND_GONE,
        &comparisons::SAVE_COMPARISONS,
        &comparisons::LOAD_COMPARISON,
        &comparisons::LOAD_MISMATCHES,
        &mirror::LOAD_MIRRORS,
        &mirror::LIST_MIRRORS,
        &mirror::NOTE_MIRROR,
        &mirror::MARK_PAGE,
        &mirror::LOAD_MARKS,
        &mirror::LOAD_MARKED,
        &mirror::LOAD_MARKED_LATELY,
        &mirror::DELETE_MARKS,
        &mirror::LOAD_GONE,
        &mirror::NOTE_GONE,
        &mirror::PUT_OFF_GONE,
        &mirror::MARK_OWNERS,
        &mirror::DELETE_GONE,
        &mirror::RECORD_DOCUMENT_REFUSALS,
        &mirror::FORGET_REFUSALS,
        &mirror::TIDY_REFUSALS,
        &mirror::CLEAR_OUTBOX,
        &mirror::END_MIRROR,
        &verification::FORGET_VERIFICATIONS,
        &verification::START_VERIFICATION,
        &verification::LAST_VERIFICATIONS,
        &verification::LOAD_VERIFICATION,
        &verification::LOAD_SAMPLES,
        &verification::DUE_VERIFICATIONS,
        &verification::NOTE_VERIFICATION,
        &verification::FIND_OWNERS,
        &verification::FIND_OWNERS_LATELY,
        &verification::PEOPLE_PAGE,
        &verification::LOAD_STANDING,
        &verification::FIND_GOING,
        &verification::FIND_REFUSED,
        &verification::FIND_CLAIMED,
    ]
}

fn of_requests() -> Vec<&'static Statement> {
    vec![
        &PING,
        &heartbeat::HEARTBEAT,
        &heartbeat::CHECK_TABLES,
        &write_statements::INSERT_EVENTS,
        &write_statements::RESOLVE_IDENTITIES,
        &write_statements::CREATE_IDENTITIES,
        &write_statements::LINK_IDENTITIES,
        &profiles::LOAD_NAMES,
        &write_statements::WRITE_TRAITS,
        &rejections::INSERT_REJECTIONS,
        &groups::INSERT_MEMBERSHIPS,
        &groups::DELETE_MEMBERSHIPS,
        &groups::DELETE_MEMBERS,
        &merge::LOCK_PROFILES,
        &merge::LOAD_LOCKED,
        &merge::FIND_OUTDATED,
        &merge::UPDATE_SURVIVORS,
        &merge::MOVE_IDENTITIES,
        &merge::RETIRE_PROFILES,
        &conflicts::INSERT_CONFLICTS,
        &erase::LOAD_SALT,
        &erase::LOAD_ERASED,
        &erase::LOCK_ERASED,
        &erase::DELETE_IDENTITIES,
        &erase::DELETE_PROFILES,
        &erase::REMEMBER_ERASED,
        &erase::RECORD_ERASURE,
        &erase::ERASE_EVENTS,
        &erase::EMPTY_REJECTIONS,
        &erase::EMPTY_REFUSALS,
        &erase::EMPTY_LINES,
        &erase::EMPTY_SAMPLES,
        &erase::DELETE_CONFLICTS,
        &erase::DELETE_CLAIMS,
        &erase::MARK_CLEARED,
        &erase::FIND_RETURNED,
        &erase::MARK_FINISHED,
        &erase::DUE_ERASURES,
        &erase::OLDEST_ERASURE,
        &erase::PUT_OFF_ERASURE,
        &erase::LOAD_ERASURE,
        &erase::LIFT_BLOCK,
        &erase_older::LOAD_NEWER,
        &erase_older::KEEP_NEWER,
        &erase_older::BAR_OLDER,
        &profiles::FIND_PERSON,
        &profiles::FIND_PERSON_BY_ID,
        &profiles::LOAD_CONFLICTS,
        &profiles::LOAD_CONFLICTS_OF,
        &lookup::LOAD_PROFILES,
        &owners::LOAD_OWNERS,
        &fields::SAMPLE_FIELDS,
        &field_types::LOAD_FIELD_TYPES,
        &field_types::FIX_FIELD_TYPES,
        &field_types::FIND_FIELD_TYPES,
        &field_types::COUNT_FIELD_TYPES,
        &field_types::FORGET_FIELD_TYPE,
        &profiles::LOAD_IDENTITIES,
        &events::LOAD_TIMELINE,
        &events::LOAD_EVENT,
        &rejections::LOAD_REJECTIONS,
        &projects::CREATE_PROJECT,
        &projects::FIND_PROJECT,
        &projects::LOAD_PROJECT,
        &projects::LOAD_KINDS,
        &projects::LOAD_PROJECT_NAMES,
        &projects::CREATE_KEY,
        &projects::CREATE_SIGNED_KEY,
        &projects::LOAD_KEYS,
        &projects::SET_KINDS,
        &projects::SET_RULES,
        &criteria::LOAD_CRITERIA,
        &criteria::SET_CRITERIA,
        &criteria::DROP_CRITERIA,
        &projects::LIST_KEYS,
        &projects::REVOKE_KEY,
    ]
}

/// Of what only one dialect, or an export, asks for.
fn of_dialects() -> Vec<&'static Statement> {
    vec![
        &listed_of::LOAD_CALLS_OF,
        &listed_of::LOAD_RECORDS_OF,
        &listed_of::LOAD_LINES_OF,
        &listed_of::LOAD_SAMPLES_OF,
        &forgotten::LOAD_FORGOTTEN,
        &lists::CREATE_LIST,
        &lists::LOAD_LISTS,
        &lists::FIND_LIST,
        &lists::DELETE_LIST,
        &lists::NOTE_MEMBERS,
        &lists::LEAVE_LISTS,
        &lists::LIST_MEMBERS,
        &lists::COUNT_MEMBERS,
        &devices::NOTE_HOLDERS,
        &devices::LEAVE_DEVICES,
        &devices::FIND_HOLDERS,
        &invalidations::INVALIDATE_TOKENS,
        &invalidations::FIND_INVALIDATION,
        &invalidations::LATEST_INVALIDATIONS,
        &invalidations::FORGET_INVALIDATIONS,
    ]
}

fn of_upkeep() -> Vec<&'static Statement> {
    vec![
        &retention::DUE_WALKS,
        &retention::EXPIRE_EVENTS,
        &retention::SET_WALK,
        &retention::EXPIRE_REJECTIONS,
        &retention::EXPIRE_CONFLICTS,
        &retention::EXPIRE_MERGE_RECORDS,
        &retention::EXPIRE_BACKFILL_REJECTIONS,
        &retention::EXPIRE_COMPARISONS,
        &retention::EXPIRE_IMPORT_REJECTIONS,
        &retention::SET_RETENTION,
        &schema::APPLIED_STEPS,
        &schema::RECORD_STEP,
        &lease::TAKE_LEASE,
        &lease::END_LEASE,
        &worker::TAKE_TURN,
        &worker::KEEP_TURN,
        &worker::END_TURN,
        &worker::LOCK_TURN,
        &rights::MISSING_RIGHTS,
        &encoding::SERVER_ENCODING,
    ]
}
