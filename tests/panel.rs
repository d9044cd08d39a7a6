// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The panel of a real station: what its socket tells becomes pictures.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use platen_events::{DriveState, Verdict};
use platen_testkit::daemon::Daemon;
use platen_ui::Colour;

use crate::common::Station;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// It ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The newest picture, and how many pixels of it have this colour.
fn newest(folder: &Path, colour: Colour) -> Option<(PathBuf, usize)> {
    let names = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let newest = names.filter(|path| path.extension().is_some_and(|end| end == "png")).max()?;
    let file = BufReader::new(std::fs::File::open(&newest).ok()?);
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG file");
    let mut data = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut data).expect("a picture");
    assert_eq!((info.width, info.height), (800, 480));
    Some((newest, data.chunks_exact(3).filter(|pixel| *pixel == colour.rgb()).count()))
}

#[track_caller]
fn until(what: &str, folder: &Path, colour: Colour, is_so: impl Fn(usize) -> bool) {
    let begun = Instant::now();
    loop {
        let found = newest(folder, colour);
        if found.as_ref().is_some_and(|(_, pixels)| is_so(*pixels)) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: {found:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_good_drive_fills_its_tile_on_the_panel() {
    let station = Station::with_medium();
    // The first start writes the configuration.
    let mut daemon = Daemon::new(&station, 4, "");
    daemon.stop();
    let folder = station.path("pictures");
    let mut command = Daemon::command(&station);
    command.arg("--panel").arg(format!("png:{}", folder.display()));
    let _running = Running(command.spawn().expect("platend runs"));
    // Four empty ports, and the one blue button.
    until("the ports are shown", &folder, Colour::Accent, |pixels| pixels > 2_000);
    until("nothing asks for a hand", &folder, Colour::Ready, |pixels| pixels == 0);

    daemon.ask(&["arm", "write", "TREE-r1", "--wanted", "6"]).expect(0);
    daemon.insert(2, "GOOD-1", "");
    daemon.until("the drive is good", |state| {
        let is_ready = |drive: &DriveState| {
            let end = drive.job.and_then(|job| state.jobs().get(&job)?.end.as_ref());
            end.is_some_and(|end| end.verdict == Verdict::Ready)
        };
        state.drives().values().any(is_ready)
    });
    until("its tile is filled", &folder, Colour::Ready, |pixels| pixels > 10_000);

    daemon.pull(2);
    until("it is not filled any more", &folder, Colour::Ready, |pixels| pixels < 10_000);
}
