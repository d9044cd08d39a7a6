// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the guard answers on recorded machines (`machines.txt`, which says how they are written): once without, once with
//! the device named by `--allow-device`.

use std::collections::HashSet;

use platen_testkit::machine::RecordedMachine;
use platen_testkit::need;

use super::*;
use crate::machine::number_of;

const MACHINES: &str = include_str!("machines.txt");

/// The code of what is said, or `accepted`; and all of it.
fn answer(result: Result<(), OpenError>) -> (String, String) {
    match result {
        Ok(()) => ("accepted".to_owned(), String::new()),
        Err(error) => (error.code().to_string(), error.to_string()),
    }
}

/// What `Candidate::find` and `Candidate::for_writing` do, less everything that needs the device itself.
fn ask(machine: &Machine, name: &str, number: u64, is_allowed: bool) -> Result<(), OpenError> {
    let path = Path::new("/dev").join(name);
    let Described { device, kind, .. } = Described::read(machine, &path, number)?;
    judge(machine, &path, &device, kind == DriveKind::Usb || is_allowed)
}

/// `ask NAME WITHOUT WITH [WORDS...]`: both answers, and what the first refusal (or else the second) must say.
fn questions(title: &str, text: &str) -> usize {
    let is_question = |line: &&str| line.starts_with("ask ");
    let laid_out: Vec<&str> = text.lines().filter(|line| !is_question(line)).collect();
    let recorded = RecordedMachine::new(&laid_out.join("\n"));
    let machine = Machine::at(recorded.root());
    let mut asked = 0;
    for line in text.lines().filter(is_question) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, name, without, with, ref said @ ..] = words[..] else { panic!("{title}: {line}") };
        let number = laid_out.iter().find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (words.get(1) == Some(&name)).then(|| number_of(words.get(2)?))?
        });
        let number = number.unwrap_or_else(|| panic!("{title}: no device {name}"));
        let (plain, why) = answer(ask(&machine, name, number, false));
        let (allowed, why_still) = answer(ask(&machine, name, number, true));
        assert_eq!((&*plain, &*allowed), (without, with), "{title}: {line}\n{why}\n{why_still}");
        let said = said.join(" ");
        let why = if why.is_empty() { why_still } else { why };
        assert!(why.contains(&said), "{title}: {said:?} is not said of {name}: {why}");
        asked += 1;
    }
    assert!(asked > 0, "{title}: nothing is asked");
    asked
}

#[test]
fn every_recorded_machine_gets_its_answers() {
    if !need::root() {
        return;
    }
    let (mut titles, mut asked) = (HashSet::new(), 0);
    for machine in MACHINES.split("\n== ").skip(1) {
        let (title, text) = machine.split_once('\n').expect("a title");
        assert!(titles.insert(title), "{title} is there twice");
        asked += questions(title, text);
    }
    assert!(titles.len() >= 40 && asked > titles.len(), "{} machines, {asked} questions", titles.len());
}

/// The machines differ from one that is accepted by what their titles say; here each difference is shown to matter.
#[test]
fn without_its_difference_a_machine_is_accepted() {
    if !need::root() {
        return;
    }
    let mut tried = 0;
    for machine in MACHINES.split("\n== ").skip(1) {
        let (title, text) = machine.split_once('\n').expect("a title");
        // Everything that uses, protects or damages; what is left is the bare device.
        let bare = ["mount", "elsewhere", "swap", "opens", "on", "loop", "btrfs", "set", "gone"];
        let is_bare = |line: &&str| !bare.contains(&line.split(' ').next().unwrap_or_default());
        let left: Vec<String> =
            text.lines().filter(is_bare).map(|line| line.replace(" ro=1", "").replace(" size=0", "")).collect();
        if left.len() == text.lines().count() && !text.contains(" ro=1") {
            continue;
        }
        let recorded = RecordedMachine::new(
            &left.iter().filter(|line| !line.starts_with("ask")).cloned().collect::<Vec<_>>().join("\n"),
        );
        let machine = Machine::at(recorded.root());
        for line in left.iter().filter(|line| line.starts_with("disk")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = number_of(words[2]).expect("a number");
            let answer = answer(ask(&machine, words[1], number, true));
            assert_eq!(answer.0, "accepted", "{title}: {line}: {}", answer.1);
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}
