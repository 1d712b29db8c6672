//! A target that misbehaves as its environment says: a proxy in front of `mpchat serve`, in a process of its own.
//!
//! The process is this test's own executable, started by `mpchat run --start` with the one "test" that serves.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Bytes of a header; where its type is, and its length.
const HEADER: usize = 24;

/// What it does wrong.
#[derive(Clone, Copy)]
enum Misdeed {
    /// Ends with a word when a client sends a frame of this type.
    DieOn([u8; 2]),
    /// The same, and no more once it has.
    DieOnceOn([u8; 2]),
    /// The same, and it does not start again.
    StayDeadAfter([u8; 2]),
    /// Answers nobody.
    Silent,
    /// Answers nobody after it has sent a frame of this type, and closes nothing.
    SilentAfter([u8; 2]),
    /// Holds every frame to a client back for so long.
    Slow(Duration),
    /// Sends whole frames without end, and reads nothing.
    Flood,
    /// Writes to its standard error without end.
    Shout,
    None,
}

const INIT_RES: [u8; 2] = [0, 0x10];
const MSG_REQ: [u8; 2] = [2, 0];
const CLOSE_REQ: [u8; 2] = [1, 0];

impl Misdeed {
    fn named(name: &str) -> Self {
        match name {
            "die on msg_req" => Self::DieOn(MSG_REQ),
            "die once on msg_req" => Self::DieOnceOn(MSG_REQ),
            "stay dead after close_req" => Self::StayDeadAfter(CLOSE_REQ),
            "silent" => Self::Silent,
            "silent after init_res" => Self::SilentAfter(INIT_RES),
            "slow" => Self::Slow(Duration::from_millis(250)),
            "flood" => Self::Flood,
            "shout" => Self::Shout,
            "none" => Self::None,
            _ => unreachable!("no such misdeed: {name}"),
        }
    }
}

/// The command for `--start`. `mark` is a file that outlives the process. For each timer there is an instance of its own.
pub(crate) fn command(misdeed: &str, mark: &Path) -> String {
    let own = std::env::current_exe().unwrap();
    format!(
        "exec env TARGET_TIMERS='{{invite_timeout}} {{answer_timeout}}' TARGET_PORT={{port}} TARGET_MISDEED='{misdeed}' TARGET_MARK='{}' '{}' --exact a_target --nocapture -q",
        mark.display(),
        own.display()
    )
}

/// Serves, if this process was started to do so.
pub(crate) fn serve_if_asked() {
    let Ok(port) = std::env::var("TARGET_PORT") else { return };
    let misdeed = Misdeed::named(&std::env::var("TARGET_MISDEED").unwrap());
    let mark = std::env::var("TARGET_MARK").unwrap();
    if matches!(misdeed, Misdeed::StayDeadAfter(_)) && Path::new(&mark).exists() {
        die("no second life");
    }
    let behind = serve();
    // Held open until this process ends, however it does.
    let _alive = std::env::var("TARGET_TELLS").ok().map(|address| TcpStream::connect(address).unwrap());
    let silent: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(matches!(misdeed, Misdeed::Silent))));
    if matches!(misdeed, Misdeed::Shout) {
        std::thread::spawn(|| while std::io::stderr().write_all(&[b'!'; 4096]).is_ok() {});
    }
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    for client in listener.incoming().flatten() {
        let (behind, mark) = (behind.clone(), mark.clone());
        if matches!(misdeed, Misdeed::Flood) {
            std::thread::spawn(move || flood(client));
            continue;
        }
        std::thread::spawn(move || {
            let Ok(server) = TcpStream::connect(&behind) else { return };
            let (from, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || {
                frames(from, to, silent, |kind| {
                    let pass = !silent.load(Ordering::SeqCst);
                    match misdeed {
                        Misdeed::Slow(length) => std::thread::sleep(length),
                        Misdeed::SilentAfter(on) if kind == on => silent.store(true, Ordering::SeqCst),
                        _ => {}
                    }
                    pass
                });
            });
            frames(client, server, silent, |kind| {
                match misdeed {
                    Misdeed::DieOn(on) if kind == on => die("bad luck with a frame"),
                    Misdeed::DieOnceOn(on) if kind == on && File::create_new(&mark).is_ok() => {
                        die("once in a lifetime")
                    }
                    Misdeed::StayDeadAfter(on) if kind == on => {
                        File::create(&mark).unwrap();
                        die("the end");
                    }
                    _ => {}
                }
                true
            });
        });
    }
}

fn flood(mut client: TcpStream) {
    let frame = [&[1, 0, 4, 0x10, 0xff, 0xff, 0, 1][..], &[0; 65_527]].concat();
    while client.write_all(&frame).is_ok() {}
}

/// The reference server behind, which ends with the process group. Its address.
fn serve() -> String {
    let timers = std::env::var("TARGET_TIMERS").unwrap();
    let (invite, answer) = timers.split_once(' ').unwrap();
    #[expect(clippy::zombie_processes, reason = "the process group ends it, and this process with it")]
    let mut server = Command::new(env!("CARGO_BIN_EXE_mpchat"))
        .args(["serve", "--listen", "127.0.0.1:0", "--invite-timeout", invite, "--answer-timeout", answer])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line.trim().rsplit(' ').next().unwrap().to_owned()
}

fn die(word: &str) -> ! {
    eprintln!("{word}");
    std::process::exit(101)
}

/// Carries whole frames as long as `pass` says so; what is not passed is lost.
fn frames(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool, pass: impl Fn([u8; 2]) -> bool) {
    let mut frame = vec![0; HEADER];
    while from.read_exact(&mut frame[..HEADER]).is_ok() {
        let kind = [frame[2], frame[3]];
        let length = usize::from(u16::from_be_bytes([frame[4], frame[5]])).max(HEADER);
        frame.resize(length, 0);
        if from.read_exact(&mut frame[HEADER..]).is_err() || pass(kind) && to.write_all(&frame).is_err() {
            break;
        }
    }
    while silent.load(Ordering::SeqCst) {
        std::thread::park();
    }
    let _gone = to.shutdown(Shutdown::Write);
    let _gone = from.shutdown(Shutdown::Read);
}
