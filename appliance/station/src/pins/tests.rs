// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A station's PINs over restarts, wrong tries, and losing them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use minisign::KeyPair;
use platen_media::sign::SignError;
use tempfile::TempDir;

use super::*;

fn pin(digits: &str) -> Pin {
    Pin::new(digits.to_owned()).expect(digits)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// With an administrator's PIN of 8305 and a technician's of 4817.
fn station() -> (TempDir, Pins) {
    let dir = tempfile::tempdir().expect("a folder");
    let mut pins = Pins::open(dir.path(), Duration::ZERO).expect("no file is a first start");
    pins.set(Role::Administrator, &pin("8305"), Duration::ZERO).expect("set");
    pins.set(Role::Technician, &pin("4817"), Duration::ZERO).expect("set");
    (dir, pins)
}

fn check(pins: &mut Pins, role: Role, digits: &str, now: u64) -> Answer {
    pins.check(role, &pin(digits), seconds(now)).expect("checks")
}

#[test]
fn a_station_has_no_pin_until_one_is_set() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut pins = Pins::open(dir.path(), Duration::ZERO).expect("opens");
    assert!(pins.is_first_start());
    for common in ["0000", "1234", "8305"] {
        assert_eq!(check(&mut pins, Role::Administrator, common, 0), Answer::NoPin);
    }
    pins.set(Role::Administrator, &pin("8305"), Duration::ZERO).expect("set");
    assert!(!pins.is_first_start() && !pins.is_set(Role::Operator));
    assert_eq!(check(&mut pins, Role::Administrator, "8305", 0), Answer::Right);
    assert_eq!(check(&mut pins, Role::Administrator, "8306", 0), Answer::Wrong(None));
    assert_eq!(check(&mut pins, Role::Operator, "8305", 0), Answer::NoPin);
    let mut again = Pins::open(dir.path(), Duration::ZERO).expect("opens");
    assert_eq!(check(&mut again, Role::Administrator, "8305", 0), Answer::Right);
}

#[test]
fn the_file_is_its_owners_alone_and_has_no_pin_in_it() {
    let (dir, pins) = station();
    let path = dir.path().join(FILE);
    assert_eq!(fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).expect("reads");
    assert_eq!(text.matches("$argon2id$v=19$m=19456,t=2,p=1$").count(), 2, "{text}");
    let hashes: Vec<&str> = text.split('"').filter(|part| part.starts_with("$argon2id")).collect();
    let salts: Vec<&str> = hashes.iter().filter_map(|hash| hash.split('$').nth(4)).collect();
    assert!(salts.len() == 2 && salts[0] != salts[1], "each has a salt of its own: {salts:?}");
    for shown in [text, format!("{pins:?}"), format!("{:?}", pin("8305"))] {
        assert!(!shown.contains("8305") && !shown.contains("4817"), "{shown}");
    }
    assert!(!format!("{pins:?}").contains("argon2"));
}

#[test]
fn pins_are_four_to_twelve_digits() {
    for good in ["8305", "830517940268", "0000"] {
        pin(good);
    }
    for bad in ["", "830", "8305179402683", "83o5", "8305 ", "+830", "８３０５", "8305\n"] {
        let error = Pin::new(bad.to_owned()).expect_err(bad);
        assert!(matches!(error, PinError::Form), "{bad:?}: {error}");
    }
}

#[test]
fn a_pin_that_is_guessed_at_once_is_not_set() {
    let (_dir, mut pins) = station();
    let easy = ["0000", "7777777", "1234", "4321", "0123", "7890", "3210", "0987", "123456789012", "9876543210"];
    for bad in easy.into_iter().chain(COMMONEST) {
        let error = pins.set(Role::Operator, &pin(bad), Duration::ZERO).expect_err(bad);
        assert!(matches!(error, PinError::Guessable { .. }) && !error.to_string().contains(bad), "{error}");
    }
    for good in ["1235", "1243", "1357", "0001", "2468"] {
        pins.set(Role::Operator, &pin(good), Duration::ZERO).expect(good);
    }
}

#[test]
fn two_roles_have_different_pins() {
    let (_dir, mut pins) = station();
    let error = pins.set(Role::Operator, &pin("8305"), Duration::ZERO).expect_err("the administrator's");
    assert!(matches!(error, PinError::Taken { role: Role::Operator, other: Role::Administrator }), "{error}");
    assert!(!pins.is_set(Role::Operator));
    pins.set(Role::Administrator, &pin("8305"), Duration::ZERO).expect("one's own may stay");
    pins.clear(Role::Technician, Duration::ZERO).expect("taken away");
    pins.set(Role::Operator, &pin("4817"), Duration::ZERO).expect("nobody's any more");
    assert!(matches!(pins.clear(Role::Administrator, Duration::ZERO), Err(PinError::Needed)));
}

#[test]
fn wrong_tries_wait_and_are_not_forgotten_by_a_restart() {
    let (dir, mut pins) = station();
    for _ in 0..3 {
        assert_eq!(check(&mut pins, Role::Administrator, "0000", 100), Answer::Wrong(None));
    }
    let wait = |left, failed| Wait { left: seconds(left), failed };
    assert_eq!(check(&mut pins, Role::Administrator, "0000", 100), Answer::Wrong(Some(wait(5, 4))));
    assert_eq!(check(&mut pins, Role::Administrator, "8305", 104), Answer::Refused(wait(1, 4)), "the right one too");
    assert_eq!(check(&mut pins, Role::Technician, "4817", 100), Answer::Right, "others are not kept out");
    // The clock of the next run begins anew, wherever.
    for origin in [0, 7, 1_000_000] {
        let mut pins = Pins::open(dir.path(), seconds(origin)).expect("opens");
        assert_eq!(check(&mut pins, Role::Administrator, "8305", origin + 4), Answer::Refused(wait(1, 4)));
    }
    let mut pins = Pins::open(dir.path(), seconds(50)).expect("opens");
    pins.keep(seconds(53)).expect("stored");
    let mut pins = Pins::open(dir.path(), seconds(0)).expect("opens");
    assert_eq!(check(&mut pins, Role::Administrator, "8305", 1), Answer::Refused(wait(1, 4)), "goes on where it was");
    assert_eq!(check(&mut pins, Role::Administrator, "0000", 2), Answer::Wrong(Some(wait(15, 5))));
    assert_eq!(check(&mut pins, Role::Administrator, "8305", 17), Answer::Right);
    let mut pins = Pins::open(dir.path(), seconds(0)).expect("opens");
    assert_eq!(check(&mut pins, Role::Administrator, "0000", 0), Answer::Wrong(None), "a right one forgives");
}

#[test]
fn a_try_that_cant_be_counted_lets_nobody_in() {
    let (dir, mut pins) = station();
    // Also for root: there is no folder any more.
    fs::remove_dir_all(dir.path()).expect("removed");
    let refused = pins.check(Role::Administrator, &pin("8305"), Duration::ZERO);
    assert!(matches!(refused, Err(PinError::Io { doing: "writing", .. })), "{refused:?}");
    let failure = Failure::from(pins.set(Role::Operator, &pin("2468"), Duration::ZERO).expect_err("can't be written"));
    assert_eq!(failure.exit, Exit::Machine);
    assert!(!pins.is_set(Role::Operator), "nothing is changed that is not written");
}

#[test]
fn a_damaged_file_is_no_first_start() {
    let (dir, _) = station();
    let path = dir.path().join(FILE);
    let good = fs::read_to_string(&path).expect("reads");
    for bad in ["", "{", "[]", &good[..good.len() / 2], &" ".repeat(70 << 10)] {
        fs::write(&path, bad).expect("written");
        let error = Pins::open(dir.path(), Duration::ZERO).expect_err("damaged");
        assert!(matches!(error, PinError::Damaged { .. }) && error.to_string().contains(FILE), "{error}");
    }
    fs::write(&path, r#"{"schema": 2}"#).expect("written");
    let newer = Failure::from(Pins::open(dir.path(), Duration::ZERO).expect_err("newer")).text();
    assert!(newer.contains("newer version of Platen"), "{newer}");
    fs::write(&path, good.replace("$argon2id$", "$argon3id$")).expect("written");
    let mut pins = Pins::open(dir.path(), Duration::ZERO).expect("its fields are right");
    let error = pins.check(Role::Administrator, &pin("8305"), Duration::ZERO).expect_err("no hash");
    assert!(matches!(error, PinError::Hashing { .. }), "{error}");
}

#[test]
fn what_a_later_release_added_is_kept() {
    let (dir, _) = station();
    let path = dir.path().join(FILE);
    let text = fs::read_to_string(&path).expect("reads");
    let mut document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    document["added"] = 1.into();
    document["roles"]["administrator"]["added"] = 2.into();
    document["roles"]["auditor"] = document["roles"]["technician"].clone();
    fs::write(&path, document.to_string()).expect("written");
    let mut pins = Pins::open(dir.path(), Duration::ZERO).expect("opens");
    pins.set(Role::Administrator, &pin("2468"), Duration::ZERO).expect("set");
    let text = fs::read_to_string(&path).expect("reads");
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&document["added"], &document["roles"]["administrator"]["added"]), (&1.into(), &2.into()));
    assert!(document["roles"]["auditor"]["hash"].is_string());
}

/// A key that signs requests, and the same as a station trusts it.
fn key() -> (KeyPair, TrustedKeys) {
    let pair = KeyPair::generate_unencrypted_keypair().expect("random numbers");
    let text = pair.pk.to_box().expect("key").to_string();
    let keys = TrustedKeys::from_texts([&*text]).expect("valid");
    (pair, keys)
}

fn sign(pair: &KeyPair, bytes: &[u8]) -> String {
    minisign::sign(None, &pair.sk, bytes, Some("test"), None).expect("signs").to_string()
}

#[test]
fn a_signed_request_takes_away_the_administrators_pin_once() {
    let (dir, mut pins) = station();
    let (pair, keys) = key();
    for _ in 0..9 {
        let _ = pins.check(Role::Administrator, &pin("0000"), Duration::ZERO).expect("checks");
    }
    let challenge = pins.challenge(Duration::ZERO).expect("random numbers");
    // While the request is on its way the station is started anew.
    let mut pins = Pins::open(dir.path(), Duration::ZERO).expect("opens");
    assert_eq!(pins.challenge(Duration::ZERO).expect("the same"), challenge);
    let request = request_text("bench \"3\"", &challenge);
    let signature = sign(&pair, request.as_bytes());
    let key = pins.reset_with(request.as_bytes(), &signature, &keys, "bench \"3\"", Duration::ZERO).expect("followed");
    assert_eq!(key, keys.ids()[0]);
    for pins in [&mut pins, &mut Pins::open(dir.path(), Duration::ZERO).expect("opens")] {
        assert!(pins.is_first_start() && pins.may_try(Role::Administrator, Duration::ZERO).is_ok());
        assert_eq!(check(pins, Role::Technician, "4817", 0), Answer::Right, "nothing else is changed");
        let replayed = pins.reset_with(request.as_bytes(), &signature, &keys, "bench \"3\"", Duration::ZERO);
        assert!(matches!(replayed, Err(ResetError::NoChallenge)), "{replayed:?}");
    }
    pins.set(Role::Administrator, &pin("2468"), Duration::ZERO).expect("set");
    assert_ne!(pins.challenge(Duration::ZERO).expect("random numbers"), challenge);
    let replayed = pins.reset_with(request.as_bytes(), &signature, &keys, "bench \"3\"", Duration::ZERO);
    assert!(matches!(replayed, Err(ResetError::OtherChallenge { .. })), "{replayed:?}");
    assert!(!pins.is_first_start());
}

#[test]
fn a_request_that_is_not_for_this_is_refused_and_changes_nothing() {
    let (dir, mut pins) = station();
    let ((pair, keys), (stranger, _)) = (key(), key());
    let unasked = request_text("bench", &Challenge::random().expect("random numbers"));
    let refused = pins.reset_with(unasked.as_bytes(), &sign(&pair, unasked.as_bytes()), &keys, "bench", Duration::ZERO);
    assert!(matches!(refused, Err(ResetError::NoChallenge)), "{refused:?}");

    let challenge = pins.challenge(Duration::ZERO).expect("random numbers");
    let before = fs::read(dir.path().join(FILE)).expect("reads");
    let good = request_text("bench", &challenge);
    let mut refused = |request: &str, signature: &str| {
        let refused = pins.reset_with(request.as_bytes(), signature, &keys, "bench", Duration::ZERO);
        assert_eq!(fs::read(dir.path().join(FILE)).expect("reads"), before, "{request}");
        refused.expect_err(request)
    };
    let signed = |text: &str| sign(&pair, text.as_bytes());

    let by_stranger = refused(&good, &sign(&stranger, good.as_bytes()));
    assert!(matches!(&by_stranger, ResetError::Signature(SignError::UnknownKey { .. })), "{by_stranger}");
    assert_eq!(Failure::from(by_stranger).exit, Exit::Policy);
    let changed = refused(&good.replace("bench", "other"), &signed(&good));
    assert!(matches!(changed, ResetError::Signature(SignError::Mismatch { .. })), "{changed}");

    let elsewhere = request_text("bench-2", &challenge);
    let other = refused(&elsewhere, &signed(&elsewhere));
    assert!(matches!(&other, ResetError::OtherStation { found, .. } if found == "bench-2"), "{other}");
    let old = request_text("bench", &Challenge::random().expect("random numbers"));
    let other = refused(&old, &signed(&old));
    assert!(matches!(&other, ResetError::OtherChallenge { .. }), "{other}");
    assert!(other.to_string().contains(&challenge.to_string()), "what to sign is said: {other}");

    // Whatever else the key signed, or somebody wrote by hand.
    for text in [
        "{}".to_owned(),
        "reset".to_owned(),
        good.replace("reset-administrator-pin", "reset-operator-pin"),
        good.replace("\"schema\": 1", "\"schema\": 1, \"also\": 2"),
        good.replace("\"schema\": 1, ", ""),
        good.replace("\"schema\": 1", "\"schema\": 2"),
        good.replace("\"challenge\"", "\"challange\""),
    ] {
        let other = refused(&text, &signed(&text));
        assert!(matches!(other, ResetError::NoRequest(_)), "{text}: {other}");
    }
    let long = format!("{good}{}", " ".repeat(4096));
    assert!(matches!(refused(&long, &signed(&long)), ResetError::TooLong { .. }));

    // The control; a challenge that was typed off a photograph is as good.
    let typed = good.replace(&challenge.to_string(), &challenge.to_string().to_lowercase().replace('-', " "));
    pins.reset_with(typed.as_bytes(), &signed(&typed), &keys, "bench", Duration::ZERO).expect("followed");
}

#[test]
fn an_administrator_who_comes_in_makes_a_request_on_its_way_useless() {
    let (_dir, mut pins) = station();
    let (pair, keys) = key();
    let challenge = pins.challenge(Duration::ZERO).expect("random numbers");
    let request = request_text("bench", &challenge);
    assert_eq!(check(&mut pins, Role::Administrator, "8305", 0), Answer::Right);
    let refused = pins.reset_with(request.as_bytes(), &sign(&pair, request.as_bytes()), &keys, "bench", Duration::ZERO);
    assert!(matches!(refused, Err(ResetError::NoChallenge)), "{refused:?}");
}

#[test]
fn challenges_are_read_out_in_fours() {
    let challenge = Challenge::random().expect("random numbers").to_string();
    assert_eq!(challenge.len(), 19, "{challenge}");
    assert!(challenge.split('-').all(|four| four.len() == 4 && !four.contains(['I', 'L', 'O', 'U'])), "{challenge}");
}
