//! The users that cases are played with: each case takes its own from the kit, and gives them back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use mpchat_peer::kit::{Kit, KitError};
use mpchat_proto::crypto::{PrivateKey, Provider, PublicKey};
use mpchat_proto::ids::Uid;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

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
    /// Whether there are users whose uid begins with 00. They are kept for the cases that need one.
    any_led_by_zero: bool,
    /// Users were given back.
    returned: Notify,
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
        let any_led_by_zero = free.iter().any(|user| is_led_by_zero(user));
        let permits = Arc::new(Semaphore::new(size));
        Arc::new(Self { free: Mutex::new(free), permits, size, any_led_by_zero, returned: Notify::new() })
    }

    /// Waits until `n` users are free; none if the kit never has so many. At `led_by_zero` is one whose uid begins with 00, if
    /// the kit has any.
    pub(crate) async fn lend(self: &Arc<Self>, n: usize, led_by_zero: Option<usize>) -> Option<Lent> {
        if n > self.size {
            return None;
        }
        let led_by_zero = led_by_zero.filter(|place| self.any_led_by_zero && *place < n);
        loop {
            let returned = self.returned.notified();
            let permits = Arc::clone(&self.permits).acquire_many_owned(u32::try_from(n).ok()?).await.ok()?;
            if let Some(users) = self.take(n, led_by_zero) {
                return Some(Lent { users, pool: Arc::clone(self), _permits: permits });
            }
            drop(permits);
            returned.await;
        }
    }

    /// Takes `n` users out; none if one that is led by zero is needed, and none is free.
    fn take(&self, n: usize, led_by_zero: Option<usize>) -> Option<Vec<Arc<Identity>>> {
        let mut free = self.free.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let wanted = match led_by_zero {
            Some(_) => Some(free.iter().position(|user| is_led_by_zero(user)).and_then(|place| free.remove(place))?),
            None => None,
        };
        let rest = n - usize::from(wanted.is_some());
        let (kept, mut others): (VecDeque<_>, VecDeque<_>) = free.drain(..).partition(|user| is_led_by_zero(user));
        let mut users: Vec<_> = others.drain(..rest.min(others.len())).collect();
        *free = kept;
        let missing = rest - users.len();
        users.extend(free.drain(..missing));
        free.extend(others);
        if let (Some(place), Some(user)) = (led_by_zero, wanted) {
            users.insert(place, user);
        }
        Some(users)
    }
}

/// Of whose uid text the first digits can be left out, and the number stays the same.
fn is_led_by_zero(user: &Identity) -> bool {
    user.uid.to_string().starts_with("00")
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut free = self.pool.free.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        free.extend(self.users.drain(..));
        drop(free);
        self.pool.returned.notify_waiters();
    }
}
