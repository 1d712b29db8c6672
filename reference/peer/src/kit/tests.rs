#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};

use mpchat_proto::crypto::{KeyError, default_provider};

use super::*;

const ALICE: Uid = Uid(0xa11ce);
const BOB: Uid = Uid(0xb0b00);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../harness/kit")
}

/// Server, alice and bob of the committed kit.
fn small() -> Vec<(String, String)> {
    let names = [SERVER_PUBLIC.to_owned(), SERVER_PRIVATE.to_owned()];
    let users = [ALICE, BOB].into_iter().flat_map(|uid| [public_file(uid), private_file(uid)]);
    let read = |name: String| (name.clone(), std::fs::read_to_string(folder().join(&name)).unwrap());
    names.into_iter().chain(users).map(read).collect()
}

/// The small kit with one file's text replaced, or removed.
fn with(file: &str, text: Option<&str>) -> KitFiles {
    let mut files = small();
    files.retain(|(name, _)| name != file);
    files.extend(text.map(|text| (file.to_owned(), text.to_owned())));
    KitFiles::from_list(files)
}

fn text_of(file: &str) -> String {
    KitFiles::from_list(small()).text(file).unwrap().to_owned()
}

fn server_fault(files: &KitFiles) -> KitError {
    ServerKit::load(files, default_provider()).unwrap_err()
}

#[test]
fn the_committed_kit_is_whole() {
    let kit = Kit::load(KitFiles::read(&folder()).unwrap(), default_provider()).unwrap();
    assert_eq!((kit.cast().len(), kit.directory().len()), (256, 256));
    assert_eq!(kit.uid("alice"), Some(ALICE));
    assert_eq!(kit.uid("bob"), Some(BOB));
    assert_eq!(kit.names().len(), 6);
    assert!(kit.names().values().all(|uid| kit.cast()[..6].contains(uid)));
    let high = kit.cast().iter().filter(|uid| uid.0 >> 63 == 1).count();
    assert!((100..156).contains(&high), "{high} of 256 uids are above 2^63");
    assert!(kit.cast().iter().all(|uid| uid.to_string().contains(|c: char| c.is_ascii_alphabetic())));
    for &uid in kit.cast() {
        assert_eq!(kit.private(uid).unwrap().public(), kit.directory()[&uid]);
    }
    assert_eq!(kit.server_private().unwrap().public(), *kit.server_public());
}

#[test]
fn each_side_takes_what_it_needs() {
    let files = KitFiles::from_list(small());
    let server = ServerKit::load(&files, default_provider()).unwrap();
    assert_eq!(server.directory.keys().copied().collect::<Vec<_>>(), [ALICE, BOB]);
    let alice = ClientKit::load(&with(SERVER_PRIVATE, None), default_provider(), ALICE).unwrap();
    assert_eq!(alice.key.public(), alice.directory[&ALICE]);
    assert_eq!(alice.server, server.key.public());
    // Neither the users' private keys nor its own public one are a server's business.
    ServerKit::load(&with(&private_file(ALICE), Some("nonsense")), default_provider()).unwrap();
    ServerKit::load(&with(SERVER_PUBLIC, None), default_provider()).unwrap();
}

#[test]
fn a_missing_file_is_named() {
    let error = server_fault(&with(SERVER_PRIVATE, None));
    assert_eq!(error.to_string(), "server.key.pem: missing");
    let error = ClientKit::load(&with(SERVER_PUBLIC, None), default_provider(), ALICE).unwrap_err();
    assert_eq!(error.to_string(), "server.pub.pem: missing");
    let error = ClientKit::load(&with(&private_file(BOB), None), default_provider(), BOB).unwrap_err();
    assert_eq!(error.to_string(), "00000000000b0b00.key.pem: missing");
    let nobody = KitFiles::from_list(small().into_iter().filter(|(name, _)| name.starts_with("server")));
    assert!(matches!(server_fault(&nobody).fault, Fault::NoUsers));
}

#[test]
fn a_wrong_key_is_named() {
    let alice = public_file(ALICE);
    let error = server_fault(&with(&alice, Some("no key")));
    assert!(matches!(error.fault, Fault::Key(KeyError::NotPem(_))), "{error}");
    assert_eq!(error.file, Path::new(&alice));
    let error = server_fault(&with(&alice, Some(&text_of(&private_file(ALICE)))));
    assert!(matches!(error.fault, Fault::Key(KeyError::Label { .. })), "{error}");
    let error = server_fault(&with(SERVER_PRIVATE, Some(&text_of(&private_file(ALICE)))));
    assert_eq!(error.to_string(), "server.key.pem: does not belong to the public key in server.pub.pem");
    let files = with(&private_file(ALICE), Some(&text_of(&private_file(BOB))));
    let error = ClientKit::load(&files, default_provider(), ALICE).unwrap_err();
    assert!(matches!(error.fault, Fault::Mismatch { .. }), "{error}");
}

#[test]
fn a_misspelt_name_is_an_error() {
    let key = text_of(&public_file(ALICE));
    for name in ["a11ce.pub.pem", "00000000000A11CE.pub.pem", "Server.pub.pem", "00000000000a11cé.key.pem"] {
        let error = server_fault(&with(name, Some(&key)));
        assert!(matches!(error.fault, Fault::Name(_)), "{name}: {error}");
        assert_eq!(error.file, Path::new(name));
    }
    assert!(matches!(server_fault(&with(&public_file(Uid::SERVER), Some(&key))).fault, Fault::ServerUid));
    // Somebody else's certificate is not the kit's business.
    ServerKit::load(&with("ca.pem", Some("certificate")), default_provider()).unwrap();
}

#[test]
fn private_keys_wait_until_they_are_asked_for() {
    let kit = Kit::load(with(&private_file(BOB), Some("nonsense")), default_provider()).unwrap();
    kit.private(ALICE).unwrap();
    assert!(matches!(kit.private(BOB).unwrap_err().fault, Fault::Key(KeyError::NotPem(_))));
    assert!(matches!(kit.private(Uid(1)).unwrap_err().fault, Fault::Missing));
}

#[test]
fn lists_are_strict() {
    let fault = |file, text| Kit::load(with(file, Some(text)), default_provider()).unwrap_err().to_string();
    let load = |file, text| Kit::load(with(file, Some(text)), default_provider()).unwrap();
    let kit = load(NAMES, "# the cast\n\n al_1 = \"00000000000a11ce\" # alice\r\n");
    assert_eq!(kit.uid("al_1"), Some(ALICE));
    assert_eq!(kit.cast(), [ALICE, BOB]);
    assert_eq!(load(CAST, "00000000000b0b00\n00000000000a11ce\n").cast(), [BOB, ALICE]);
    assert_eq!(fault(NAMES, "\nalice"), "names.toml: line 2: not of the form name = \"uid text\"");
    assert_eq!(
        fault(NAMES, "alice = 00000000000a11ce"),
        "names.toml: line 1: \"00000000000a11ce\" is not in quotation marks"
    );
    assert!(fault(NAMES, "Alice = \"00000000000a11ce\"").contains("is no name"));
    assert!(fault(NAMES, "a = \"a11ce\"").contains("is no uid text"));
    assert!(fault(NAMES, "a = \"0000000000000000\"").contains("is the server"));
    assert!(fault(NAMES, "a = \"00000000000a11ce\"\na = \"00000000000b0b00\"").contains("line 2: a is there twice"));
    assert!(fault(NAMES, "a = \"0000000000000001\"").contains("has no public key"));
    assert!(fault(CAST, "00000000000a11ce\n00000000000a11ce").contains("line 2"));
}

#[test]
fn folders_are_read_and_written() {
    let folder = tempfile::tempdir().unwrap();
    KitFiles::from_list(small()).write(folder.path(), |name| !name.starts_with("server.key")).unwrap();
    std::fs::write(folder.path().join("readme.txt"), [0xff]).unwrap();
    let files = KitFiles::read(folder.path()).unwrap();
    assert_eq!(files.names().count(), 5);
    std::fs::write(folder.path().join(SERVER_PRIVATE), [0xff]).unwrap();
    let error = KitFiles::read(folder.path()).unwrap_err();
    assert!(matches!(error.fault, Fault::NotText));
    assert_eq!(error.file, folder.path().join(SERVER_PRIVATE));
    let error = KitFiles::read(&folder.path().join("none")).unwrap_err();
    assert!(matches!(error.fault, Fault::Read(_)));
}
