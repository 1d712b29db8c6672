//! `mpchat serve --state` under load, killed by SIGKILL again and again, always on the same folder: what anybody was told
//! before a kill must hold after it.
//!
//! ```text
//!   +--> maybe: start, kill while it opens the store (a crash on top of a crash)
//!   |                        |
//!   |      start, all log in: what is owed arrives, what was told holds     (load.rs asks, book.rs judges)
//!   |                        |
//!   |      load, until the clients have seen a random number of events
//!   |                        |
//!   +----- SIGKILL, clients take what is still under way
//! ```
//!
//! `MPCHAT_KILLS=200 cargo test -p mpchat-cli --test kill_nine` kills 200 times; `MPCHAT_SEED` gives other choices. Clients
//! are new in each round, so that none hides a line that it gets twice (MSG-18).

#![allow(clippy::unwrap_used, reason = "a test")]

mod book;
mod load;

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mpchat_peer::kit::{Kit, KitFiles};
use mpchat_proto::crypto::default_provider;
use mpchat_proto::ids::Uid;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use book::Book;
use load::Round;

const ALICE: Uid = Uid(0xa11ce);
const BOB: Uid = Uid(0xb0b00);
const CAROL: Uid = Uid(0xca401e);
const DAVE: Uid = Uid(0xda7e);

/// Longer than anything here takes; a round that takes so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most events that the clients see in a round before the kill.
const EVENTS: u64 = 300;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_before_a_kill_holds_after_it() {
    let (kills, seed) = (number("MPCHAT_KILLS", 10), number("MPCHAT_SEED", 1));
    let kit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kit");
    let kit = Arc::new(Kit::load(KitFiles::read(&kit).unwrap(), default_provider()).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut rng = StdRng::seed_from_u64(seed);
    let book = Arc::new(Mutex::new(Book::default()));
    for round in 1..=kills {
        // Twice in a row at most, so that what is stored for them does not grow beyond what is sent before an answer.
        let absent = |turn: u64| round % 3 != turn && round < kills;
        let carol = !(absent(0) && rng.random_bool(0.6));
        let dave = !(absent(1) && rng.random_bool(0.6));
        let online: Vec<Uid> = [(ALICE, true), (BOB, true), (CAROL, carol), (DAVE, dave)]
            .into_iter()
            .filter_map(|(uid, there)| there.then_some(uid))
            .collect();
        book.lock().unwrap().begin(round, &online);
        if rng.random_bool(0.25) {
            kill_at_the_start(folder.path(), &mut rng).await;
        }
        let played = timeout(PATIENCE, play(folder.path(), &kit, &book, &online, &mut rng)).await;
        let mut book = book.lock().unwrap();
        book.end();
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        assert!(played.is_ok(), "round {round}, seed {seed} does not end: {book:#?}\n{log}");
        let violations = book.violations();
        assert!(violations.is_empty(), "round {round}, seed {seed}: {violations:#?}\n{log}");
        assert!(!log.contains("panicked"), "round {round}, seed {seed}: {log}");
    }
    let book = book.lock().unwrap();
    eprintln!("{kills} kills, seed {seed}: {}", book.tally());
    book.proves_something();
}

/// The crash comes while the store is being opened, and repaired after the one before.
async fn kill_at_the_start(folder: &Path, rng: &mut StdRng) {
    let mut server = spawn(folder);
    // There is no frame yet whose arrival could be the moment.
    tokio::time::sleep(Duration::from_micros(rng.random_range(0..30_000))).await;
    server.kill().await.unwrap();
}

async fn play(folder: &Path, kit: &Arc<Kit>, book: &Arc<Mutex<Book>>, online: &[Uid], rng: &mut StdRng) {
    let mut server = spawn(folder);
    let mut output = BufReader::new(server.stdout.take().unwrap()).lines();
    let Some(line) = output.next_line().await.unwrap() else {
        panic!("it does not start: {}", fs::read_to_string(folder.join("log")).unwrap())
    };
    let address = line.strip_prefix("listening on ").unwrap().to_owned();
    let round = Arc::new(Round::new(Arc::clone(book), online.len(), rng.random_range(1..=EVENTS)));
    let mut drivers = tokio::task::JoinSet::new();
    for uid in online {
        let client = kit.client(*uid).unwrap();
        drivers.spawn(load::drive(Arc::clone(&round), client, address.clone(), rng.random()));
    }
    round.enough.notified().await;
    round.killed.store(true, Ordering::SeqCst);
    server.kill().await.unwrap();
    while let Some(driver) = drivers.join_next().await {
        driver.unwrap();
    }
}

fn spawn(folder: &Path) -> Child {
    let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_mpchat"))
        .args(["serve", "--listen", "127.0.0.1:0", "--state"])
        .arg(folder.join("state"))
        .env("RUST_LOG", "error")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}
