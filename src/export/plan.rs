//! What is to be walked: the indices as they are, held against what was kept.

use super::state::{Shard, State};
use super::walk::Stumble;
use crate::legacy::{Client, Failure, Index, Source};

/// The indices behind a name, after a look at what they can give.
///
/// # Errors
/// One sentence: nothing is there, or documents can't be read whole.
pub async fn indices(client: &Client, expression: &str) -> Result<Vec<Index>, Stumble> {
    let nothing = || format!("there is no index {expression} at {}", client.address());
    let told = |failure: Failure| match failure.is_not_found() {
        true => Stumble::Stop(nothing()),
        false => Stumble::of(&failure, failure.to_string()),
    };
    let indices = client.indices(expression).await.map_err(told)?;
    if indices.is_empty() {
        return Err(Stumble::Stop(nothing()));
    }
    for index in &indices {
        match client.source_of(&index.name).await.map_err(told)? {
            Source::AsSent => {}
            Source::Off => {
                return Err(Stumble::Stop(format!(
                    "index {} does not store its documents (_source is off): there is nothing to export",
                    index.name
                )));
            }
            Source::Filtered => {
                tracing::warn!(index = %index.name, "the index leaves fields of its documents out: a mapping must not say whole = true");
            }
            Source::Synthetic => {
                tracing::warn!(index = %index.name, "the index rebuilds its documents from their fields: lists may come sorted and merged");
            }
        }
    }
    Ok(indices)
}

/// Lets what was written show, on every copy.
///
/// # Errors
/// Where nothing would ever show.
pub async fn refresh(client: &Client, indices: &[Index]) -> Result<(), Failure> {
    for index in indices {
        match client.refresh(&index.name).await {
            Ok(()) => {}
            Err(Failure::Lasting { status: 403, text }) if !index.is_never_refreshed => {
                tracing::warn!(index = %index.name, %text, "no right to refresh: documents of the last moments come with the next pass");
            }
            Err(Failure::Lasting { status: 403, text }) => {
                let text = format!(
                    "index {} is never refreshed by itself (refresh_interval -1), and the right to do it is missing: {text}",
                    index.name
                );
                return Err(Failure::Lasting { status: 403, text });
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// Holds what was kept against what is there.
///
/// # Errors
/// With both names, where an index was made anew or taken out of an alias.
pub fn compare(state: &State, expression: &str, indices: &[Index]) -> Result<(), String> {
    for shard in &state.shards {
        let is_there = |index: &&Index| index.name == shard.index && index.uuid == shard.uuid;
        if indices.iter().any(|index| is_there(&index)) {
            continue;
        }
        let now: Vec<&str> = indices.iter().map(|index| index.name.as_str()).collect();
        let now = now.join(", ");
        let what = match indices.iter().find(|index| index.name == shard.index) {
            Some(index) => format!(
                "was made anew: it is {}, and was {}",
                index.uuid, shard.uuid
            ),
            None => format!("is not behind {expression} any more: it is {now} now"),
        };
        return Err(format!(
            "index {} {what}; --restart begins anew",
            shard.index
        ));
    }
    Ok(())
}

/// Adds the shards of indices that came since, as those that an alias rolls over to.
pub fn add_new(state: &mut State, indices: &[Index]) {
    for index in indices {
        if state.shards.iter().any(|shard| shard.uuid == index.uuid) {
            continue;
        }
        let new = (0..index.shards).map(|number| Shard::new(&index.name, &index.uuid, number));
        state.shards.extend(new);
    }
}

/// Where every shard is now: by index and number.
pub async fn checkpoints(
    client: &Client,
    indices: &[Index],
) -> Result<Vec<(String, u32, i64)>, Failure> {
    let mut all = Vec::new();
    for index in indices {
        let numbers = client.checkpoints(index).await?;
        let named = numbers.into_iter().zip(0..);
        all.extend(named.map(|(at, number)| (index.uuid.clone(), number, at)));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(name: &str, uuid: &str) -> Index {
        Index {
            name: name.to_owned(),
            uuid: uuid.to_owned(),
            shards: 2,
            is_never_refreshed: false,
        }
    }

    #[test]
    fn an_index_made_anew_and_an_alias_that_was_switched_are_told_by_name() {
        let mut state = State::default();
        add_new(&mut state, &[index("people-1", "a")]);
        assert_eq!(state.shards.len(), 2);
        let anew = compare(&state, "people", &[index("people-1", "b")]).expect_err("another");
        assert!(
            anew.contains("people-1") && anew.contains("made anew"),
            "{anew}"
        );
        let switched = compare(&state, "people", &[index("people-2", "c")]).expect_err("another");
        assert!(
            switched.contains("people-1") && switched.contains("people-2"),
            "{switched}"
        );
        let rolled = [index("people-1", "a"), index("people-2", "c")];
        compare(&state, "people", &rolled).expect("one more is no harm");
        add_new(&mut state, &rolled);
        add_new(&mut state, &rolled);
        assert_eq!(state.shards.len(), 4);
    }
}
