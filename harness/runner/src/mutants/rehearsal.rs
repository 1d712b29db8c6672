//! Which faults make a difference to which cases, without playing each case against each fault.
//!
//! Every case is played once, with a right peer, and all that the peer is told is put on a tape. A peer with a fault is then
//! told the same. If it does the same, down to the last byte, the case would have gone the same way: it passes. In most
//! cases most faults make no difference.
//!
//! What that cannot tell is how a fault spreads from one case to another that shares its server, and what depends on chance:
//! on the order of the users' uids, say, or on what comes in one read. Who uses this has to play some of the others as well.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use mpchat_model::Verdict;
use mpchat_peer::{client, server};
use mpchat_proto::crypto::shortcut;

use super::{Quirk, next, results};
use crate::client::{ClientSubject, Embedding as ClientEmbedding};
use crate::plan::PlannedCase;
use crate::run::{RunOptions, Unreachable};
use crate::subject::{Embedding, Subject};
use crate::tapes::Tapes;

/// What was found: for each case that could be taped, by its id, the faults that make a difference.
#[derive(Debug)]
pub struct Rehearsal(HashMap<String, BTreeSet<Quirk>>);

impl Rehearsal {
    /// Whether it passed with a right peer, which was told on a tape what it was told.
    #[must_use]
    pub fn is_taped(&self, case: &PlannedCase) -> bool {
        self.0.contains_key(&case.id)
    }

    /// Whether a fault made a difference to any case that could be taped.
    #[must_use]
    pub fn shows(&self, fault: Quirk) -> bool {
        self.0.values().any(|faults| faults.contains(&fault))
    }

    /// Whether a case may come to something else with a fault than with a right peer.
    #[must_use]
    pub fn may_differ(&self, case: &PlannedCase, fault: Quirk) -> bool {
        self.0.get(&case.id).is_none_or(|faults| faults.contains(&fault))
    }
}

/// Rehearses the cases with all faults, which are of one role. Cases that use up sequence numbers are left out: they are
/// long, and meet few faults.
///
/// # Errors
/// If an embedded peer cannot be started, or the system gives no thread.
pub fn rehearse(cases: &[Arc<PlannedCase>], faults: &[Quirk], options: RunOptions) -> Result<Rehearsal, Unreachable> {
    let cases: Vec<_> = cases.iter().filter(|case| !case.exhausts).cloned().collect();
    let (servers, clients) = (Tapes::default(), Tapes::default());
    let subject = if matches!(faults, [Quirk::Client(_), ..]) {
        let embedding = ClientEmbedding { tapes: Some(clients.clone()), ..ClientEmbedding::default() };
        Subject::Client(ClientSubject::Embedded(embedding))
    } else {
        Subject::Embedded(Embedding { tapes: Some(servers.clone()), ..Embedding::default() })
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Unreachable(error.to_string()))?;
    let results = runtime.block_on(results(subject, &cases, options))?;
    // Nobody adds to a tape any more.
    drop(runtime);
    let passed: BTreeSet<&str> =
        results.iter().filter(|r| r.verdict == Verdict::Pass).map(|result| result.id.as_str()).collect();
    let tapes = by_case(&cases, servers.take(), Taped::Servers)
        .chain(by_case(&cases, clients.take(), Taped::Clients))
        .filter(|(case, _)| passed.contains(case.id.as_str()));
    Ok(Rehearsal(replay(tapes, faults)))
}

/// The tapes of one case.
enum Taped {
    Servers(Vec<server::Tape>),
    Clients(Vec<client::Tape>),
}

impl Taped {
    /// A peer that panics does something else, too.
    fn differs(&self, fault: Quirk) -> bool {
        let differs = || match (self, fault) {
            (Self::Servers(tapes), Quirk::Server(quirk)) => tapes.iter().any(|tape| tape.differs(quirk)),
            (Self::Clients(tapes), Quirk::Client(quirk)) => tapes.iter().any(|tape| tape.differs(quirk)),
            _ => true,
        };
        // What the machine leaves behind is dropped; the tapes are only read.
        catch_unwind(AssertUnwindSafe(differs)).unwrap_or(true)
    }
}

fn by_case<T>(
    cases: &[Arc<PlannedCase>],
    tapes: BTreeMap<usize, Vec<T>>,
    taped: fn(Vec<T>) -> Taped,
) -> impl Iterator<Item = (&Arc<PlannedCase>, Taped)> {
    tapes.into_iter().filter_map(move |(case, tapes)| Some((cases.get(case)?, taped(tapes))))
}

/// Plays the tapes to every fault, on all processors; each tape is gone when that is done.
fn replay<'c>(
    tapes: impl Iterator<Item = (&'c Arc<PlannedCase>, Taped)> + Send,
    faults: &[Quirk],
) -> HashMap<String, BTreeSet<Quirk>> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let (tapes, found) = (Mutex::new(tapes), Mutex::new(HashMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                while let Some((case, tapes)) = next(&tapes) {
                    let differs = || faults.iter().copied().filter(|fault| tapes.differs(*fault)).collect();
                    let differs = shortcut::for_nobody(differs);
                    found.lock().unwrap_or_else(PoisonError::into_inner).insert(case.id.clone(), differs);
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}
