// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Lights beside ports, and a buzzer.

mod buzzer;
mod lamp;
mod pattern;

use std::collections::BTreeMap;
use std::path::Path;

pub use self::buzzer::{Buzzer, Tune};
pub use self::pattern::Signal;

use self::lamp::Output;
use self::pattern::{colours, is_lit};
use crate::board::{Lamps, Light};

/// Where the kernel has its lights.
const LEDS: &str = "/sys/class/leds";
/// How long a port is shown that is to be found.
const FOUND_MS: u64 = 6000;

/// The lights of all ports that have one.
#[derive(Debug)]
pub struct Lights {
    lights: BTreeMap<String, Shown>,
}

impl Drop for Lights {
    /// Nobody knows any more what is the matter with the ports.
    fn drop(&mut self) {
        for port in self.lights.keys().cloned().collect::<Vec<_>>() {
            self.set(&port, Signal::Off);
        }
        self.tick(u64::MAX);
    }
}

#[derive(Debug)]
struct Shown {
    outputs: Outputs,
    signal: Signal,
    /// Until then it is to be found.
    found_until_ms: u64,
}

#[derive(Debug)]
enum Outputs {
    One(Output),
    Colours([Option<Output>; 3]),
}

impl Lights {
    /// Take over all lights. One that can't be had is named in the log, and stays as it is.
    pub fn open(lights: &[Light]) -> Self {
        Self::open_in(lights, Path::new(LEDS))
    }

    fn open_in(lights: &[Light], leds: &Path) -> Self {
        let outputs = |lamps: &Lamps| match lamps {
            Lamps::One(lamp) => Outputs::One(Output::open(lamp, leds)),
            Lamps::Colours(lamps) => {
                Outputs::Colours(lamps.each_ref().map(|lamp| lamp.as_ref().map(|lamp| Output::open(lamp, leds))))
            }
        };
        let shown = |light: &Light| Shown { outputs: outputs(&light.lamps), signal: Signal::Off, found_until_ms: 0 };
        Self { lights: lights.iter().map(|light| (light.port.clone(), shown(light))).collect() }
    }

    /// What is the matter with a port from now on.
    pub fn set(&mut self, port: &str, signal: Signal) {
        if let Some(light) = self.lights.get_mut(port) {
            light.signal = signal;
        }
    }

    /// Somebody looks for this port.
    pub fn find(&mut self, port: &str, now_ms: u64) {
        if let Some(light) = self.lights.get_mut(port) {
            light.found_until_ms = now_ms + FOUND_MS;
        }
    }

    /// Time passes: lights are switched, if they have to be.
    pub fn tick(&mut self, now_ms: u64) {
        for light in self.lights.values_mut() {
            let signal = if now_ms < light.found_until_ms { Signal::Here } else { light.signal };
            match &mut light.outputs {
                Outputs::One(output) => output.set(is_lit(signal, now_ms)),
                Outputs::Colours(outputs) => {
                    let has = outputs.each_ref().map(Option::is_some);
                    for (output, is_on) in outputs.iter_mut().zip(colours(signal, has, now_ms)) {
                        output.iter_mut().for_each(|output| output.set(is_on));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Lamp;

    #[test]
    fn a_light_is_written_only_when_it_changes() {
        let leds = tempfile::tempdir().expect("a folder");
        let file = |led: &str, name: &str| leds.path().join(led).join(name);
        for led in ["p1", "p2:red", "p2:green"] {
            std::fs::create_dir(leds.path().join(led)).expect("a folder");
            std::fs::write(file(led, "max_brightness"), "255\n").expect("writes");
            std::fs::write(file(led, "trigger"), "[mmc0] none").expect("writes");
            std::fs::write(file(led, "brightness"), "7").expect("writes");
        }
        let led = |name: &str| Lamp::Led(name.to_owned());
        let colours = Lamps::Colours([Some(led("p2:red")), Some(led("p2:green")), None]);
        let light = |port: &str, lamps| Light { port: port.to_owned(), lamps };
        let board = [light("1", Lamps::One(led("p1"))), light("2", colours), light("3", Lamps::One(led("gone")))];
        let mut lights = Lights::open_in(&board, leds.path());
        let read = |led: &str, name: &str| std::fs::read_to_string(file(led, name)).expect("reads");
        assert_eq!((read("p1", "trigger"), read("p1", "brightness")), ("none".to_owned(), "0".to_owned()));
        lights.set("1", Signal::Good);
        lights.set("2", Signal::Good);
        lights.set("no such port", Signal::Bad);
        lights.tick(0);
        let now = || ["p1", "p2:red", "p2:green"].map(|led| read(led, "brightness"));
        assert_eq!(now(), ["255", "0", "255"]);
        std::fs::write(file("p1", "brightness"), "untouched").expect("writes");
        lights.tick(50);
        assert_eq!(now(), ["untouched", "0", "255"]);
        lights.set("1", Signal::Off);
        lights.tick(100);
        assert_eq!(now(), ["0", "0", "255"]);
        // It is looked for, and then it is what it was.
        lights.find("1", 2000);
        lights.tick(2000);
        assert_eq!(now()[0], "255");
        lights.tick(2000 + FOUND_MS);
        assert_eq!(now()[0], "0");
        assert_eq!(now()[2], "255");
        drop(lights);
        assert_eq!(now(), ["0", "0", "0"]);
    }
}
