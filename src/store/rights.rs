//! Tells at the start whether this database user may do what the service does, by doing it with nothing to do.

use super::erase::{DELETE_CONFLICTS, DELETE_IDENTITIES, DELETE_PROFILES};
use super::groups::DELETE_MEMBERSHIPS;
use super::merge::MOVE_IDENTITIES;
use super::{Error, Store};
use crate::domain::{ProjectId, Timestamp};
use uuid::Uuid;

impl Store {
    /// Runs every kind of statement that traffic needs, over no rows.
    pub async fn check_rights(&self) -> Result<(), Error> {
        let nobody = ProjectId(0);
        self.load_keys(&[]).await?;
        self.insert_events(&mut [], false).await?;
        self.resolve_identities(&[], &[]).await?;
        self.create_identities(&[], &[]).await?;
        self.link_identities(&[], &[]).await?;
        self.write_traits(&[]).await?;
        let nothing: [Uuid; 0] = [];
        self.run(
            &MOVE_IDENTITIES,
            &[&nothing.as_slice(), &nothing.as_slice()],
        )
        .await?;
        self.insert_memberships(&[]).await?;
        self.insert_conflicts(&[]).await?;
        self.insert_rejections(&[]).await?;
        self.load_erased(&[]).await?;
        self.open_erasures(1).await?;
        self.load_retentions().await?;
        for deleting in [&DELETE_IDENTITIES, &DELETE_CONFLICTS, &DELETE_MEMBERSHIPS] {
            self.run(deleting, &[&nothing.as_slice()]).await?;
        }
        self.run(&DELETE_PROFILES, &[&nobody.0, &nothing.as_slice()])
            .await?;
        self.expire_events(nobody, Uuid::max(), Timestamp::MIN, 1)
            .await?;
        self.expire_rejections(nobody, Timestamp::MIN, 1).await?;
        self.load_conflicts(nobody, None, 1).await?;
        self.load_rejections(nobody, None, 1).await.map(drop)
    }
}
