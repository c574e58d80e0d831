//! A real Kafka broker, and what a customer does with it.

use crate::harness::public_dir;
use crate::java::{Java, free_port, java};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::metadata::MetadataPartition;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

const PATIENCE: Duration = Duration::from_secs(60);

static SHARED: OnceCell<Broker> = OnceCell::const_new();

/// The broker that most tests share; it ends with this process, however that ends.
pub async fn shared_broker() -> &'static Broker {
    SHARED.get_or_init(Broker::start).await
}

/// One broker, which is its own controller.
pub struct Broker {
    process: Option<Java>,
    folder: PathBuf,
    /// Where clients find it.
    pub address: String,
}

/// A record to produce, or one that was found.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub partition: Option<i32>,
    /// Milliseconds since 1970.
    pub at: Option<i64>,
}

impl Sent {
    pub fn of(key: &str, value: &serde_json::Value) -> Self {
        Self {
            key: Some(key.as_bytes().to_vec()),
            value: Some(value.to_string().into_bytes()),
            ..Self::default()
        }
    }
}

impl Broker {
    /// Starts one.
    pub async fn start() -> Self {
        Self::with(public_dir("kafka"), &[], "", &[]).await
    }

    /// The same in a folder, with more listeners (a name and an address each), settings, and arguments of its first command.
    pub async fn with(
        folder: PathBuf,
        listeners: &[(&str, &str)],
        more: &str,
        formatting: &[&str],
    ) -> Self {
        let (port, controller) = (free_port(), free_port());
        let address = format!("127.0.0.1:{port}");
        let others = listeners.iter();
        let others: String = others
            .map(|(name, address)| format!(",{name}://{address}"))
            .collect();
        let settings = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://{address},CONTROLLER://127.0.0.1:{controller}{others}\nadvertised.listeners=PLAINTEXT://{address}{others}\n\
             controller.listener.names=CONTROLLER\ninter.broker.listener.name=PLAINTEXT\nlog.dirs={data}\n\
             offsets.topic.replication.factor=1\noffsets.topic.num.partitions=4\ntransaction.state.log.replication.factor=1\n\
             transaction.state.log.num.partitions=4\ntransaction.state.log.min.isr=1\nauto.create.topics.enable=false\n\
             group.initial.rebalance.delay.ms=0\nmessage.max.bytes=16777216\nreplica.fetch.max.bytes=16777216\n\
             group.min.session.timeout.ms=3000\n{more}\n",
            data = folder.join("data").display(),
        );
        fs::write(folder.join("server.properties"), settings).expect("written");
        let mut format = java("kafka", "-Xmx320m");
        format.args([
            "kafka.tools.StorageTool",
            "format",
            "-t",
            "bm90LWEtcmFuZG9tLWlkAA",
            "-c",
        ]);
        format.arg(folder.join("server.properties"));
        format.args(formatting);
        let formatted = format.output().expect("`scripts/setup test` fetches Kafka");
        assert!(
            formatted.status.success(),
            "{}{}",
            String::from_utf8_lossy(&formatted.stdout),
            String::from_utf8_lossy(&formatted.stderr)
        );
        let mut broker = Self {
            process: None,
            folder,
            address,
        };
        broker.start_again().await;
        broker
    }

    /// Starts what was killed, on the same data and address.
    pub async fn start_again(&mut self) {
        let mut run = java("kafka", "-Xmx320m");
        run.arg("kafka.Kafka")
            .arg(self.folder.join("server.properties"));
        self.process = Some(Java::start(&run, &self.folder));
        let deadline = Instant::now() + PATIENCE;
        while self
            .admin()
            .inner()
            .fetch_metadata(None, Duration::from_secs(2))
            .is_err()
        {
            assert!(Instant::now() < deadline, "the broker does not answer");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Flips one bit of what is on the disk of a topic's first partition: of the first byte of a text that stands there.
    pub fn damage(&self, topic: &str, text: &str) {
        let path = self
            .folder
            .join(format!("data/{topic}-0/00000000000000000000.log"));
        let bytes = fs::read(&path).expect("the partition's log");
        let mut places = bytes.windows(text.len());
        let place = places.position(|window| window == text.as_bytes());
        let place = place.expect("it stands there");
        let file = fs::OpenOptions::new().write(true).open(&path);
        let flipped = [bytes[place] ^ 1];
        file.and_then(|file| file.write_all_at(&flipped, place as u64))
            .expect("written");
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        config.set("log_level", "2");
        config
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().expect("an admin client")
    }

    pub async fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let replication = TopicReplication::Fixed(1);
        let mut topic = NewTopic::new(name, partitions, replication);
        for (name, value) in settings {
            topic = topic.set(name, value);
        }
        let made = self
            .admin()
            .create_topics([&topic], &AdminOptions::new())
            .await;
        for result in made.expect("asked") {
            result.expect("made");
        }
        let deadline = Instant::now() + PATIENCE;
        while self.ends(name).len() < partitions as usize {
            assert!(Instant::now() < deadline, "the topic {name} does not show");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sets what a topic says of itself.
    pub async fn alter_topic(&self, name: &str, settings: &[(&str, &str)]) {
        let mut wanted = AlterConfig::new(ResourceSpecifier::Topic(name));
        for (name, value) in settings {
            wanted = wanted.set(name, value);
        }
        let options = AdminOptions::new();
        let altered = self.admin().alter_configs([&wanted], &options).await;
        for result in altered.expect("asked") {
            result.expect("altered");
        }
    }

    /// Whether it is there; asked so that it is not made by that.
    pub fn has_topic(&self, name: &str) -> bool {
        let admin = self.admin();
        let all = admin.inner().fetch_metadata(None, PATIENCE);
        let all = all.expect("answered");
        all.topics().iter().any(|topic| topic.name() == name)
    }

    pub async fn delete_topic(&self, name: &str) {
        let gone = self
            .admin()
            .delete_topics(&[name], &AdminOptions::new())
            .await;
        for result in gone.expect("asked") {
            result.expect("deleted");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    /// What stands before an offset of the first partition is gone, as retention does it.
    pub async fn expire(&self, topic: &str, before: i64) {
        let mut places = TopicPartitionList::new();
        let offset = Offset::Offset(before);
        places.add_partition_offset(topic, 0, offset).expect("one");
        let gone = self
            .admin()
            .delete_records(&places, &AdminOptions::new())
            .await;
        gone.expect("deleted");
    }

    pub async fn produce(&self, topic: &str, records: &[Sent]) {
        self.produce_by(topic, records, "none").await;
    }

    /// By a codec.
    pub async fn produce_by(&self, topic: &str, records: &[Sent], codec: &str) {
        let mut config = self.client();
        config.set("compression.type", codec);
        config
            .set("linger.ms", "5")
            .set("message.max.bytes", "16000000");
        let producer: FutureProducer = config.create().expect("a producer");
        let sending = records.iter().map(|record| send(&producer, topic, record));
        futures_util::future::join_all(sending).await;
        producer.flush(PATIENCE).expect("flushed");
    }

    /// Produces in a transaction that is committed, or not.
    pub async fn produce_at_once(&self, topic: &str, records: &[Sent], is_committed: bool) {
        let mut config = self.client();
        config.set("transactional.id", uuid::Uuid::new_v4().to_string());
        let producer: FutureProducer = config.create().expect("a producer");
        producer.init_transactions(PATIENCE).expect("begun");
        producer.begin_transaction().expect("begun");
        for record in records {
            send(&producer, topic, record).await;
        }
        if is_committed {
            producer.commit_transaction(PATIENCE).expect("committed");
        } else {
            producer.abort_transaction(PATIENCE).expect("aborted");
        }
    }

    /// The ends of a topic's partitions.
    pub fn ends(&self, topic: &str) -> Vec<i64> {
        let consumer: BaseConsumer = self.client().create().expect("a consumer");
        let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(5));
        let Ok(metadata) = metadata else {
            return Vec::new();
        };
        let numbers = metadata.topics()[0]
            .partitions()
            .iter()
            .map(MetadataPartition::id);
        numbers
            .filter_map(|number| {
                let marks = consumer.fetch_watermarks(topic, number, Duration::from_secs(5));
                marks.ok().map(|(_, end)| end)
            })
            .collect()
    }

    /// All records of a topic that are there now.
    pub async fn records(&self, topic: &str) -> Vec<Sent> {
        let mut config = self.client();
        config.set("group.id", uuid::Uuid::new_v4().to_string());
        config.set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let wanted: i64 = self.ends(topic).iter().sum();
        consumer.subscribe(&[topic]).expect("subscribed");
        let (mut found, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        while (found.len() as i64) < wanted {
            assert!(
                Instant::now() < deadline,
                "{} of {wanted} records",
                found.len()
            );
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
                let headers = message.headers().into_iter().flat_map(Headers::iter);
                found.push(Sent {
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.payload().map(<[u8]>::to_vec),
                    headers: headers
                        .map(|one| (one.key.to_owned(), one.value.unwrap_or_default().to_vec()))
                        .collect(),
                    partition: Some(message.partition()),
                    at: message.timestamp().to_millis(),
                });
            }
        }
        found
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
        // It may be gone already.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

async fn send(producer: &FutureProducer, topic: &str, record: &Sent) {
    let headers = record.headers.iter();
    let headers = headers.fold(OwnedHeaders::new(), |all, (key, value)| {
        let value = Some(value);
        all.insert(Header { key, value })
    });
    let record = FutureRecord {
        topic,
        partition: record.partition,
        payload: record.value.as_deref(),
        key: record.key.as_deref(),
        timestamp: record.at,
        headers: Some(headers),
    };
    producer.send(record, PATIENCE).await.expect("delivered");
}
