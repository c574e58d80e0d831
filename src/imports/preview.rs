//! What a file would come to, told by its beginning; nothing is written.

use super::intake::unavailable;
use super::reading::file_limits;
use super::stopped::Stopped;
use super::unpack::{Unpack, Unpacked};
use super::{Imports, NewJob, mapping_of};
use crate::domain::{Class, Gate, KeyKind, Timestamp};
use crate::files::{Preview, Sampler, Unusable};
use bytes::Bytes;

/// Bytes of a file, unpacked, that are looked at.
const SAMPLE: usize = 2 << 20;
/// Records that are looked at.
const RECORDS: usize = 1_000;

impl Imports {
    /// Looks at the beginning of a file, as it would be sent; `is_all` where that is all of it. `now` is the time of records that have
    /// none, where the file has none either.
    ///
    /// # Errors
    /// `Refused` where an import would be; `Unavailable`, `Draining`.
    pub async fn preview(
        &self,
        new: NewJob,
        (bytes, is_all): (Bytes, bool),
        now: Timestamp,
    ) -> Result<Preview, Stopped> {
        let parts = self.parts.clone();
        let kinds = parts.store.load_kinds(new.project_id).await;
        let kinds = kinds.map_err(|error| unavailable(&error))?;
        let mapping = mapping_of(&new.layout, new.mapping.as_deref())?;
        let permit = parts.samplers.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Stopped::Draining)?;
        let done = tokio::task::spawn_blocking(move || {
            let gate = Gate {
                project_id: new.project_id,
                class: Class::Import,
                by: KeyKind::Server,
                kinds: &kinds,
                limits: &parts.limits,
                received_at: now,
                is_measured: false,
            };
            let sampler = Sampler {
                layout: &new.layout,
                limits: file_limits(parts.settings.max_record_bytes),
                mapping: &mapping,
                gate: &gate,
                start: new.time.unwrap_or(now),
                calls: &*parts.calls,
                name: &new.name,
            };
            let (sample, is_all) = sample(bytes, is_all)?;
            let preview = sampler.preview(&sample, is_all, RECORDS);
            drop(permit);
            preview
        });
        let preview = done.await.map_err(|_| Stopped::Draining)?;
        preview.map_err(Stopped::Refused)
    }
}

fn whole(unpacked: Unpacked) -> Result<Unpacked, Unusable> {
    match unpacked.failure {
        Some(failure) => Err(failure),
        None => Ok(unpacked),
    }
}

/// The beginning of the file itself, and whether that is all of it.
fn sample(bytes: Bytes, is_all: bool) -> Result<(Vec<u8>, bool), Unusable> {
    let (mut unpack, _) = Unpack::resumed(&[]);
    let (mut sample, mut rest) = (Vec::new(), Some(bytes));
    while let Some(bytes) = rest.take().filter(|_| sample.len() < SAMPLE) {
        let unpacked = whole(unpack.take(bytes))?;
        sample.extend_from_slice(&unpacked.bytes);
        rest = unpacked.rest;
    }
    if rest.is_none() && is_all {
        sample.extend_from_slice(&whole(unpack.end())?.bytes);
    }
    let is_all = is_all && rest.is_none() && sample.len() <= SAMPLE;
    sample.truncate(SAMPLE);
    Ok((sample, is_all))
}
