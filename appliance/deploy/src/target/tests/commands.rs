// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Commands of the sequence.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::engine::machine::{Ended, Order, TIMED_OUT};
use crate::target::{Places, command};

fn run(line: &str, limit: Option<Duration>) -> Ended {
    let variables = BTreeMap::from([("Greeting".to_owned(), "이 name's".to_owned())]);
    let order = Order { line: line.to_owned(), folder: Some("/usr".into()), variables, limit };
    command::run(&Places::default(), &order).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn exit_codes_variables_folder_and_both_outputs() {
    assert_eq!(run("exit 3", None).code, 3);
    assert_eq!(run("kill -9 $$", None).code, 128 + 9);
    assert_eq!(run("no-such-program", None).code, 127);
    let ended = run("echo \"$Greeting\"; pwd >&2; env | grep -c ^CARGO", None);
    assert_eq!((ended.code, &*ended.output), (1, "이 name's\n/usr\n0\n"));
}

#[test]
fn of_much_output_the_end_is_kept() {
    let ended = run("head -c 300000 /dev/zero | tr '\\0' x; echo end", None);
    assert_eq!(ended.output.len(), 64 << 10);
    assert!(ended.output.ends_with("xxend\n"));
}

#[test]
fn the_limit_ends_the_command_and_what_it_started() {
    let folder = tempfile::tempdir().expect("a folder");
    let mark = folder.path().join("late");
    let began = Instant::now();
    let ended =
        run(&format!("echo begun; (sleep 2; touch {}) & sleep 60", mark.display()), Some(Duration::from_millis(300)));
    assert_eq!((ended.code, &*ended.output), (TIMED_OUT, "begun\n"));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    std::thread::sleep(Duration::from_millis(2500));
    assert!(!mark.exists(), "what it had started went on");
    // The control: within the limit it is there.
    let ended = run(&format!("touch {}", mark.display()), Some(Duration::from_secs(20)));
    assert!(ended.code == 0 && mark.exists());
}

#[test]
fn what_it_leaves_behind_is_not_waited_for() {
    let began = Instant::now();
    let ended = run("sleep 5 & echo done", None);
    assert_eq!((ended.code, &*ended.output), (0, "done\n"));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}
