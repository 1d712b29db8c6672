//! The users that cases are played with: each case takes its own from the kit, and gives them back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use mpchat_peer::kit::{Kit, KitError};
use mpchat_proto::crypto::{PrivateKey, Provider, PublicKey};
use mpchat_proto::ids::Uid;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A user of the kit.
pub(crate) struct Identity {
    pub(crate) uid: Uid,
    public: PublicKey,
    kit: Arc<Kit>,
}

impl Identity {
    /// The private key.
    pub(crate) fn key(&self, _provider: &dyn Provider) -> Result<PrivateKey, KitError> {
        self.kit.private(self.uid)
    }

    /// The public key.
    pub(crate) fn public(&self, _provider: &dyn Provider) -> PublicKey {
        self.public.clone()
    }
}

/// The users that are free. The one that was used longest ago comes first, so that a server that is slow to
/// notice an ending has time.
pub(crate) struct Pool {
    free: Mutex<VecDeque<Arc<Identity>>>,
    permits: Arc<Semaphore>,
    size: usize,
}

/// Users lent to a case.
pub(crate) struct Lent {
    pub(crate) users: Vec<Arc<Identity>>,
    pool: Arc<Pool>,
    _permits: OwnedSemaphorePermit,
}

impl Pool {
    pub(crate) fn new(kit: &Arc<Kit>) -> Arc<Self> {
        let user = |uid: &Uid| {
            let public = kit.directory().get(uid)?.clone();
            Some(Arc::new(Identity { uid: *uid, public, kit: Arc::clone(kit) }))
        };
        let free: VecDeque<_> = kit.cast().iter().filter_map(user).collect();
        let size = free.len();
        Arc::new(Self { free: Mutex::new(free), permits: Arc::new(Semaphore::new(size)), size })
    }

    /// Waits until `n` users are free; none if the kit never has so many. At `led_by_zero` is one whose uid begins with 00, if
    /// one is free.
    pub(crate) async fn lend(self: &Arc<Self>, n: usize, led_by_zero: Option<usize>) -> Option<Lent> {
        if n > self.size {
            return None;
        }
        let permits = Arc::clone(&self.permits).acquire_many_owned(u32::try_from(n).ok()?).await.ok()?;
        let mut free = self.free.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let taken = n.min(free.len());
        if let Some(place) = led_by_zero.filter(|place| *place < taken)
            && let Some(found) = free.iter().position(|user| user.uid.to_string().starts_with("00"))
        {
            free.swap(place, found);
        }
        let users = free.drain(..taken).collect();
        drop(free);
        Some(Lent { users, pool: Arc::clone(self), _permits: permits })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut free = self.pool.free.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        free.extend(self.users.drain(..));
    }
}
