//! The command line: what `roster` can be asked to do. Each verb is a few calls into the library.

pub mod backfill;
mod check;
mod criteria;
mod database;
mod export;
mod fields;
mod import;
mod kafka;
mod migration;
mod naming;
mod rules;
mod status;

use crate::config::{Config, Secret};
use crate::domain::kinds::{CustomKind, Normaliser};
use crate::domain::{KeyHash, KeyKind, Kinds, ProjectId};
use crate::output;
use crate::store::{self, Store};
use crate::{bench, docs, server, telemetry};
use anyhow::{Context, Result, anyhow, bail};
use backfill::BackfillVerb;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Parser, Subcommand};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Keeps the profiles and events that SDKs and batch jobs send, exactly once.
#[derive(Debug, Parser)]
#[command(name = "roster", version)]
pub struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    verb: Verb,
}

/// Where settings come from, besides the environment (ROSTER__SECTION__KEY).
#[derive(Debug, Args)]
struct Settings {
    /// A TOML file with settings; config.default.toml lists them all
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// PostgreSQL or CockroachDB; without it a private PostgreSQL runs under the data directory
    #[arg(long, global = true)]
    database_url: Option<String>,
    /// Where the private PostgreSQL lives
    #[arg(long, global = true)]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve the APIs until SIGTERM
    Serve {
        /// Address and port
        #[arg(long)]
        listen: Option<SocketAddr>,
    },
    /// Bring the database's schema up to date
    Migrate,
    /// Manage projects (tenants)
    #[command(subcommand)]
    Project(ProjectVerb),
    /// Manage keys
    #[command(subcommand)]
    Key(KeyVerb),
    /// Look at the settings
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Take legacy profiles in through Kafka
    #[command(subcommand)]
    Backfill(BackfillVerb),
    /// Leave a legacy store, step by step
    #[command(subcommand)]
    Migration(migration::MigrationVerb),
    /// Take files of profiles and events in through a service
    Import(import::ImportArgs),
    /// Measure the service against the raw limit of its database, on this machine
    Bench(Box<bench::Settings>),
    /// Print the generated pages of the documentation, or write them
    #[command(hide = true)]
    Docs {
        /// Write docs/CONFIG.md and docs/METRICS.md
        #[arg(long)]
        write: bool,
    },
}

#[derive(Debug, Subcommand)]
enum ProjectVerb {
    /// Make a project
    Create {
        /// One line of at most 100 bytes
        #[arg(value_parser = naming::project_name)]
        name: String,
    },
    /// Set a project's own kinds of identity
    Identities {
        name: String,
        /// NAME, NAME:STRENGTH or NAME:STRENGTH:NORMALISER (as-is, email, phone), as often as there are kinds. Built-in strengths:
        /// user_id 400, email 300, anonymous_id 100, device_token 50; 200 and as-is where none is given
        #[arg(long = "kind", value_parser = custom_kind)]
        kinds: Vec<CustomKind>,
        /// Let the token in context.device name people
        #[arg(long)]
        device_tokens: bool,
    },
    /// Set how far a project believes its write keys (docs/KEYS.md); what is not named goes back to its default
    Rules {
        name: String,
        #[command(flatten)]
        rules: rules::Given,
    },
    /// Show the types that the fields of a project have by its tracking plan (docs/TRACKING_PLAN.md)
    Fields {
        name: String,
        #[command(flatten)]
        fields: fields::Given,
    },
    /// Set when apps make users of people whom they do not know yet (docs/ITERABLE.md)
    Criteria {
        name: String,
        #[command(flatten)]
        criteria: criteria::Given,
    },
    /// Set how long a project keeps its events and rejections
    Retain {
        name: String,
        /// Days after which events go, counted from their receipt: a hundred years at most; without it they stay
        #[arg(long, value_parser = clap::value_parser!(i32).range(1..=36_500))]
        events: Option<i32>,
        /// Days after which rejections go; on CockroachDB they go after 30 in any case
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(i32).range(1..=30))]
        rejections: i32,
    },
}

#[derive(Debug, Subcommand)]
enum KeyVerb {
    /// Make a key; it is shown this once
    Create {
        #[arg(long)]
        project: String,
        /// write (may only send), server (may also read and administer) or read (may only read)
        #[arg(long, value_parser = ["write", "server", "read"])]
        kind: String,
        /// Of a write key: calls about a user need a JWT of theirs, signed with the secret that is shown below the key (docs/KEYS.md)
        #[arg(long)]
        jwt: bool,
    },
    /// List all keys, by the beginning of their hash
    List,
    /// Stop a key from working, everywhere within seconds
    Revoke {
        /// The key itself, or what `key list` shows for it
        key: String,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigVerb {
    /// Say whether the settings can be used
    Check,
    /// Print the settings in force, secrets hidden
    Show,
}

/// Does what the command line asks for; how the process is to end.
///
/// # Errors
/// With one sentence for the operator.
pub fn run(cli: Cli, environment: HashMap<String, String>) -> Result<ExitCode> {
    match cli {
        Cli {
            verb: Verb::Docs { write },
            ..
        } => docs::run(write)?,
        // The service is elsewhere, and so are its settings.
        Cli {
            verb: Verb::Import(import),
            ..
        } => return import.run(),
        cli => run_with_settings(cli, environment)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn run_with_settings(cli: Cli, environment: HashMap<String, String>) -> Result<()> {
    let (config, mut complaints) = cli.settings.load(environment, &cli.verb)?;
    complaints.extend(Store::complaint(&config.database));
    if matches!(
        cli.verb,
        Verb::Serve { .. } | Verb::Config(ConfigVerb::Check)
    ) {
        complaints.extend(server::complaints(&config));
    }
    config.validate_beside(complaints)?;
    match cli.verb {
        Verb::Config(ConfigVerb::Check) => output::line("the settings can be used")?,
        Verb::Config(ConfigVerb::Show) => output::text(config.to_toml()?)?,
        Verb::Backfill(BackfillVerb::Check(check)) => check.run(&config)?,
        Verb::Bench(settings) => bench::run(&settings, &config)?,
        verb => {
            telemetry::init_logging(&config.log)?;
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            let done = runtime.block_on(run_with_database(verb, config));
            // A service tells it once a minute.
            telemetry::tell_suppressed();
            done?;
        }
    }
    Ok(())
}

impl Settings {
    /// The settings, and what of them can't be read.
    fn load(
        &self,
        environment: HashMap<String, String>,
        verb: &Verb,
    ) -> Result<(Config, Vec<String>)> {
        let (mut config, faults) = Config::read(self.config.as_deref(), environment)?;
        if let Some(url) = &self.database_url {
            config.database.url = Secret::from(url.clone());
        }
        if let Some(data_dir) = &self.data_dir {
            config.data_dir.clone_from(data_dir);
        }
        if let Verb::Serve {
            listen: Some(listen),
        } = verb
        {
            config.server.listen = *listen;
        }
        Ok((config, faults))
    }
}

async fn run_with_database(verb: Verb, config: Config) -> Result<()> {
    if matches!(verb, Verb::Serve { .. }) {
        return server::serve(config).await;
    }
    let mut signals = database::signals(&verb, &config)?;
    let (embedded, url) = database::find(&config).await?;
    let done = tokio::select! {
        done = run_on(verb, &url, config, embedded.is_some()) => done,
        () = database::asked_to_end(&mut signals) => Err(anyhow!("interrupted")),
    };
    match embedded {
        Some(embedded) => done.and(embedded.stop().await),
        None => done,
    }
}

async fn run_on(verb: Verb, url: &str, config: Config, is_alone: bool) -> Result<()> {
    let store = database::open(&config, url).await?;
    run_with_store(verb, &store, config, is_alone).await
}

async fn run_with_store(verb: Verb, store: &Store, config: Config, is_alone: bool) -> Result<()> {
    // No service brought this database's schema up to date; it may be empty.
    if is_alone || matches!(verb, Verb::Migrate) {
        store.check_encoding().await.map_err(explained)?;
        store.migrate().await.map_err(explained)?;
    }
    match verb {
        Verb::Project(ProjectVerb::Create { name }) => create_project(store, &name).await,
        Verb::Project(ProjectVerb::Retain {
            name,
            events,
            rejections,
        }) => retain(store, &name, events, rejections).await,
        Verb::Project(ProjectVerb::Rules { name, rules }) => {
            let project_id = find_project(store, &name).await?;
            rules.set(store, project_id, &name).await
        }
        Verb::Project(ProjectVerb::Fields { name, fields }) => {
            let project_id = find_project(store, &name).await?;
            fields.run(store, project_id).await
        }
        Verb::Project(ProjectVerb::Criteria { name, criteria }) => {
            let project_id = find_project(store, &name).await?;
            criteria.set(store, project_id, &name).await
        }
        Verb::Project(ProjectVerb::Identities {
            name,
            kinds,
            device_tokens,
        }) => {
            let custom = kinds;
            set_kinds(
                store,
                &name,
                &Kinds {
                    custom,
                    device_tokens,
                    ..Kinds::default()
                },
            )
            .await
        }
        Verb::Backfill(verb) => backfill::run(verb, store, config).await,
        Verb::Migration(verb) => migration::run(verb, store).await,
        Verb::Key(KeyVerb::Create { project, kind, jwt }) => {
            create_key(store, &project, &kind, jwt).await
        }
        Verb::Key(KeyVerb::List) => list_keys(store).await,
        Verb::Key(KeyVerb::Revoke { key }) => revoke_key(store, &key).await,
        Verb::Migrate
        | Verb::Serve { .. }
        | Verb::Bench(_)
        | Verb::Import(_)
        | Verb::Config(_)
        | Verb::Docs { .. } => Ok(()),
    }
}

async fn create_project(store: &Store, name: &str) -> Result<()> {
    match store.create_project(name).await? {
        Some(id) => output::line(format_args!("project {name} has id {}", id.0))?,
        None => bail!("there is a project {name} already"),
    }
    Ok(())
}

fn custom_kind(text: &str) -> Result<CustomKind, String> {
    let mut parts = text.split(':');
    let name = parts.next().unwrap_or_default().to_owned();
    let strength = match parts.next() {
        None | Some("") => 200,
        Some(number) => number
            .parse()
            .map_err(|_| format!("{number:?} is no whole number"))?,
    };
    let normaliser = match parts.next() {
        None | Some("as-is") => Normaliser::AsIs,
        Some("email") => Normaliser::Email,
        Some("phone") => Normaliser::Phone,
        Some(other) => return Err(format!("{other:?} is none of as-is, email, phone")),
    };
    Ok(CustomKind {
        name,
        strength,
        normaliser,
    })
}

async fn set_kinds(store: &Store, name: &str, kinds: &Kinds) -> Result<()> {
    if let Some(complaint) = kinds.complaint() {
        bail!(complaint);
    }
    let project_id = find_project(store, name).await?;
    store.set_kinds(project_id, kinds).await?;
    let names: Vec<&str> = kinds.custom.iter().map(|kind| kind.name.as_str()).collect();
    output::line(format_args!(
        "project {name} has the identities user_id, email, anonymous_id, {}",
        names.join(", ")
    ))?;
    output::line("nodes know within keys.cache_seconds")?;
    Ok(())
}

async fn retain(store: &Store, name: &str, events: Option<i32>, rejections: i32) -> Result<()> {
    let project_id = find_project(store, name).await?;
    store.set_retention(project_id, events, rejections).await?;
    let events = events.map_or("for ever".to_owned(), |days| format!("{days} days"));
    output::line(format_args!(
        "project {name} keeps events {events}, rejections {rejections} days"
    ))?;
    Ok(())
}

async fn create_key(store: &Store, project: &str, kind: &str, jwt: bool) -> Result<()> {
    let project_id = find_project(store, project).await?;
    let kind = KeyKind::parse(kind).context("the kind is write, server or read")?;
    let key = format!(
        "rk_{}_{}",
        kind.as_str(),
        URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>())
    );
    if !jwt {
        store
            .create_key(KeyHash::of(&key), project_id, kind)
            .await?;
        output::line(key)?;
        return Ok(());
    }
    if kind != KeyKind::Write {
        bail!("only calls by a write key need a token: --jwt goes with --kind write");
    }
    let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    store
        .create_signed_key(KeyHash::of(&key), project_id, &secret)
        .await?;
    output::line(format_args!("{key}\n{secret}"))?;
    Ok(())
}

async fn find_project(store: &Store, name: &str) -> Result<ProjectId> {
    store
        .find_project(name)
        .await?
        .with_context(|| format!("there is no project {name}"))
}

async fn list_keys(store: &Store) -> Result<()> {
    for key in store.list_keys().await? {
        let state = if key.revoked { "revoked" } else { "works" };
        output::line(format_args!(
            "{}  {}  {}  {}  {state}",
            key.hash.fingerprint(),
            key.project,
            key.kind,
            key.created_at
        ))?;
    }
    Ok(())
}

async fn revoke_key(store: &Store, key: &str) -> Result<()> {
    let listed = store.list_keys().await?;
    let matches = |hash: &KeyHash| *hash == KeyHash::of(key) || hash.fingerprint() == key;
    let Some(found) = listed.iter().find(|listed| matches(&listed.hash)) else {
        bail!("there is no such key")
    };
    store.revoke_key(found.hash).await?;
    output::line(format_args!(
        "{} of project {} stops working within seconds",
        found.hash.fingerprint(),
        found.project
    ))?;
    Ok(())
}

fn explained(error: store::Error) -> anyhow::Error {
    anyhow!(error.full_text())
}
