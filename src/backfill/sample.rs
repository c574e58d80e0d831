//! A sample of a topic for who wants to know what is in it: of each partition the same share, from its beginning, its end and
//! between. It joins no group, commits nothing, and makes no topic.

use super::arrival::Arrived;
use super::kafka::{PATIENCE, Properties, partitions, refused};
use super::poller::record_of;
use super::reader::find_topic;
use super::room::Held;
use crate::config::KafkaProperties;
use crate::mapping::Record;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Places of a partition from which is read: what was written first is often other than what is written today.
const STRETCHES: usize = 4;

/// Takes note of a record: its place, its bytes, and itself.
pub type Each<'a> = dyn FnMut(&str, usize, &Record<'_>) + 'a;

/// Reads about `most` records of a topic; tells how many records the topic has, by the ends of its partitions.
///
/// # Errors
/// One sentence: no broker answers, no such topic, nothing comes.
pub fn sample(
    topic: &str,
    properties: &KafkaProperties,
    most: usize,
    each: &mut Each<'_>,
) -> Result<u64, String> {
    let properties = Properties::revealed([properties]);
    let consumer = consumer(&properties)?;
    find_topic(&consumer, &properties, topic)?;
    let partitions = partitions(&consumer, topic)?;
    let plan = plan(&partitions, most);
    let mut sampler = Sampler {
        consumer,
        topic,
        left: most,
        last_error: None,
        each,
    };
    for round in plan {
        // Where enough was read, some partitions of the round before are still assigned.
        if sampler.left > 0 {
            sampler.read(round)?;
        }
    }
    let records = partitions.iter().map(|(_, low, high)| high - low);
    Ok(records.sum::<i64>().try_into().unwrap_or(0))
}

/// A consumer that reads where it is told to, whoever else reads.
pub(super) fn consumer(properties: &Properties) -> Result<BaseConsumer, String> {
    let mut config = properties.client(&[
        ("client.id", "roster-check"),
        ("isolation.level", "read_committed"),
        ("queued.max.messages.kbytes", "16384"),
    ]);
    // Without a name of a group nothing can be assigned; nobody joins it.
    let group = format!("roster-check-{}", Uuid::new_v4());
    for (name, value) in [
        ("group.id", group.as_str()),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("enable.partition.eof", "true"),
        ("auto.offset.reset", "earliest"),
        ("allow.auto.create.topics", "false"),
    ] {
        config.set(name, value);
    }
    config.create().map_err(|error| refused(&error))
}

/// A part of a partition to read: from an offset on so many records, but none from `until` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    partition: i32,
    from: i64,
    until: i64,
    left: usize,
}

/// What to read, in rounds in which each partition has one stretch.
fn plan(partitions: &[(i32, i64, i64)], most: usize) -> Vec<Vec<Stretch>> {
    let filled = partitions.iter().filter(|(_, low, high)| low < high);
    let share = most.div_ceil(filled.clone().count().max(1));
    let rounds = (0..STRETCHES).map(|round| {
        let stretches = filled.clone().filter_map(|&(partition, low, high)| {
            let (from, until, left) = part(low, high, share, round)?;
            Some(Stretch {
                partition,
                from,
                until,
                left,
            })
        });
        stretches.collect::<Vec<_>>()
    });
    rounds.filter(|round| !round.is_empty()).collect()
}

/// Where a round begins in a partition, where it ends, and how many records it reads; `None` where there is nothing for it.
fn part(low: i64, high: i64, share: usize, round: usize) -> Option<(i64, i64, usize)> {
    if high - low <= share as i64 {
        return (round == 0).then_some((low, high, share));
    }
    let left = share * (round + 1) / STRETCHES - share * round / STRETCHES;
    let at = |round: usize| low + (high - low) / STRETCHES as i64 * round as i64;
    let (from, until) = if round + 1 == STRETCHES {
        // It reads up to the end: there stands what is written today.
        (at(round).max(high - left as i64), high)
    } else {
        (at(round), at(round + 1))
    };
    (left > 0).then_some((from, until, left))
}

struct Sampler<'a, 'e> {
    consumer: BaseConsumer,
    topic: &'a str,
    left: usize,
    /// What may be the reason why nothing comes.
    last_error: Option<String>,
    each: &'a mut Each<'e>,
}

impl Sampler<'_, '_> {
    fn read(&mut self, stretches: Vec<Stretch>) -> Result<(), String> {
        let list = self.list(&stretches)?;
        self.consumer.incremental_assign(&list).map_err(told)?;
        let open = stretches.into_iter();
        let mut open: HashMap<i32, Stretch> = open.map(|one| (one.partition, one)).collect();
        let mut since = Instant::now();
        while !open.is_empty() && self.left > 0 {
            let done = match self.poll() {
                Polled::Nothing if since.elapsed() > PATIENCE => return Err(self.nothing(&open)),
                Polled::Nothing => continue,
                Polled::End(partition) => Some(partition),
                Polled::Record(arrived) => self.take(&mut open, &arrived),
            };
            since = Instant::now();
            if let Some(stretch) = done.and_then(|partition| open.remove(&partition)) {
                let list = self.list(&[stretch])?;
                self.consumer.incremental_unassign(&list).map_err(told)?;
            }
        }
        Ok(())
    }

    fn poll(&mut self) -> Polled {
        match self.consumer.poll(Duration::from_millis(200)) {
            None => Polled::Nothing,
            Some(Ok(message)) => Polled::Record(record_of(&message, Uuid::nil(), Held::default())),
            Some(Err(KafkaError::PartitionEOF(partition))) => Polled::End(partition),
            Some(Err(error)) => {
                self.last_error = Some(error.to_string());
                Polled::Nothing
            }
        }
    }

    /// The partition, where its stretch ends here.
    fn take(&mut self, open: &mut HashMap<i32, Stretch>, arrived: &Arrived) -> Option<i32> {
        let stretch = open.get_mut(&arrived.partition)?;
        if arrived.offset >= stretch.until {
            return Some(arrived.partition);
        }
        let place = format!(
            "{} partition {}, offset {}",
            self.topic, arrived.partition, arrived.offset
        );
        (self.each)(&place, arrived.bytes(), &arrived.as_record());
        self.left = self.left.saturating_sub(1);
        stretch.left -= 1;
        let is_done = stretch.left == 0 || arrived.offset + 1 >= stretch.until;
        is_done.then_some(arrived.partition)
    }

    fn list(&self, stretches: &[Stretch]) -> Result<TopicPartitionList, String> {
        let mut list = TopicPartitionList::new();
        for stretch in stretches {
            let from = Offset::Offset(stretch.from);
            list.add_partition_offset(self.topic, stretch.partition, from)
                .map_err(told)?;
        }
        Ok(list)
    }

    fn nothing(&self, open: &HashMap<i32, Stretch>) -> String {
        let mut left: Vec<&i32> = open.keys().collect();
        left.sort_unstable();
        let because = self.last_error.as_deref().unwrap_or("no error was told");
        format!(
            "nothing came within {PATIENCE:?} from the partitions {left:?} of {}: {because}",
            self.topic
        )
    }
}

enum Polled {
    Nothing,
    End(i32),
    Record(Arrived),
}

fn told(error: KafkaError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_topic_is_read_whole_and_a_large_one_at_four_places() {
        let small = plan(&[(0, 0, 10), (1, 5, 5), (2, 90, 95)], 100);
        let whole = |partition, from, until| Stretch {
            partition,
            from,
            until,
            left: 50,
        };
        assert_eq!(small, [vec![whole(0, 0, 10), whole(2, 90, 95)]]);
        let large = plan(&[(0, 100, 1_100)], 40);
        let places: Vec<_> = large
            .concat()
            .iter()
            .map(|one| (one.from, one.until, one.left))
            .collect();
        let expected = [
            (100, 350, 10),
            (350, 600, 10),
            (600, 850, 10),
            (1_090, 1_100, 10),
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn every_partition_has_the_same_share() {
        let plan = plan(&[(0, 0, 1_000_000), (1, 0, 100), (2, 0, 3)], 30);
        let of = |partition| {
            let all = plan.iter().flatten();
            all.filter(|one| one.partition == partition).count()
        };
        assert_eq!([of(0), of(1), of(2)], [STRETCHES, STRETCHES, 1]);
        let records: Vec<usize> = plan.iter().flatten().map(|one| one.left).collect();
        assert_eq!(records.iter().sum::<usize>(), 30);
    }

    #[test]
    fn one_record_of_a_partition_is_its_last() {
        let places: Vec<_> = plan(&[(0, 0, 1_000)], 1).concat();
        let last = Stretch {
            partition: 0,
            from: 999,
            until: 1_000,
            left: 1,
        };
        assert_eq!(places, [last]);
        assert!(plan(&[(0, 0, 1_000)], 0).is_empty());
        assert!(plan(&[], 10).is_empty());
    }
}
