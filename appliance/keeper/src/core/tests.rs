// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;

/// A keeper and its time, in steps of a tick.
struct Played {
    keeper: Keeper,
    now_ms: u64,
}

impl Played {
    fn new(is_on_trial: bool) -> Self {
        let state = SystemState { version: "1.4.0".to_owned(), slot: "a".to_owned(), ..SystemState::default() };
        let (keeper, effects) = Keeper::new(0, state, is_on_trial);
        assert_eq!(effects, [Effect::StartStation, Effect::Tell, Effect::Look]);
        let mut new = Self { keeper, now_ms: 0 };
        assert!(new.input(Input::Looked(Looked::Nothing)).is_empty());
        new
    }

    fn input(&mut self, input: Input) -> Vec<Effect> {
        self.keeper.step(self.now_ms, input)
    }

    /// So much time passes; everything but petting, telling and talking that follows.
    fn pass(&mut self, ms: u64, is_alive: bool) -> Vec<Effect> {
        let mut all = Vec::new();
        let until = self.now_ms + ms;
        while self.now_ms < until {
            self.now_ms += 1000;
            if is_alive {
                all.extend(self.input(Input::Alive));
            }
            all.extend(self.input(Input::Tick));
        }
        all.retain(|effect| !matches!(effect, Effect::Pet | Effect::Tell | Effect::Say(_)));
        all
    }

    fn offered(&mut self, is_older: bool) {
        self.input(Input::Looked(Looked::Offered { version: "1.5.0".to_owned(), is_older }));
    }

    fn update(&self) -> &UpdateState {
        &self.keeper.state().update
    }
}

fn has(effects: &[Effect], wanted: &Effect) -> bool {
    effects.contains(wanted)
}

#[test]
fn well_is_who_was_ready_and_lived() {
    let mut played = Played::new(true);
    played.pass(60_000, false);
    played.input(Input::Ready);
    assert_eq!(played.pass(HEALTHY_AFTER_MS - 1000, true), []);
    assert_eq!(played.pass(2000, true), [Effect::MarkHealthy]);
    // Once; and it is not given up any more.
    assert_eq!(played.pass(10 * 60_000, true), []);
}

#[test]
fn who_is_only_alive_is_not_ready() {
    let mut played = Played::new(false);
    assert_eq!(played.pass(START_LIMIT_MS, true), []);
    assert_eq!(played.pass(2000, true), [Effect::EndStation]);
}

#[test]
fn a_silent_station_is_ended_killed_and_started_again() {
    let mut played = Played::new(false);
    played.input(Input::Ready);
    assert_eq!(played.pass(SILENCE_LIMIT_MS, false), [Effect::MarkHealthy]);
    assert_eq!(played.pass(2000, false), [Effect::EndStation]);
    assert_eq!(played.pass(STOP_LIMIT_MS + 2000, false), [Effect::KillStation]);
    assert!(!has(&played.input(Input::Ended(None)), &Effect::StartStation));
    assert_eq!(played.pass(2000, false), [Effect::StartStation]);
}

#[test]
fn one_that_can_t_be_killed_leaves_the_watchdog_to_bite() {
    let mut played = Played::new(false);
    played.input(Input::Ready);
    let petted = |played: &mut Played| {
        (0..10).any(|_| {
            played.now_ms += 1000;
            has(&played.input(Input::Tick), &Effect::Pet)
        })
    };
    // It is silent, asked to end, killed: so long the watchdog is told that somebody cares.
    while played.now_ms < SILENCE_LIMIT_MS + 2 * STOP_LIMIT_MS - 10_000 {
        assert!(petted(&mut played), "at {} ms", played.now_ms);
    }
    played.pass(20_000, false);
    assert!(!petted(&mut played));
    // It ended after all.
    played.input(Input::Ended(None));
    assert!(petted(&mut played));
}

#[test]
fn a_station_that_dies_is_started_again_later_each_time() {
    let mut played = Played::new(false);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        played.input(Input::Ended(Some(1)));
        let from = played.now_ms;
        while !has(&played.input(Input::Tick), &Effect::StartStation) {
            played.now_ms += 1000;
        }
        pauses.push((played.now_ms - from) / 1000);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
    // One that was well begins anew.
    played.input(Input::Ready);
    played.pass(HEALTHY_AFTER_MS + 1000, true);
    played.input(Input::Ended(None));
    assert_eq!(played.pass(1000, false), [Effect::StartStation]);
}

#[test]
fn only_a_system_on_trial_is_left() {
    for (is_on_trial, left) in [(true, true), (false, false)] {
        let mut played = Played::new(is_on_trial);
        let mut all = Vec::new();
        for _ in 0..TRIAL_ENDS {
            all.extend(played.input(Input::Ended(Some(1))));
            all.extend(played.pass(40_000, false));
        }
        assert_eq!(has(&all, &Effect::EndMachine(End::Restart)), left, "{all:?}");
    }
    // And one that takes too long.
    let mut played = Played::new(true);
    assert_eq!(played.pass(TRIAL_LIMIT_MS, false), []);
    assert_eq!(played.pass(2000, false), [Effect::EndStation]);
    assert_eq!(played.input(Input::Ended(None)), [Effect::EndMachine(End::Restart)]);
}

#[test]
fn a_station_that_never_could_be_started_is_an_end_like_any_other() {
    let mut played = Played::new(true);
    let mut all = Vec::new();
    for _ in 0..TRIAL_ENDS {
        all.extend(played.input(Input::NotStarted("no such file".to_owned())));
        all.extend(played.pass(40_000, false));
    }
    assert!(has(&all, &Effect::EndMachine(End::Restart)), "{all:?}");
}

#[test]
fn who_shuts_the_station_down_means_the_machine() {
    let mut played = Played::new(false);
    played.input(Input::Ready);
    assert!(has(&played.input(Input::Ended(Some(0))), &Effect::EndMachine(End::PowerOff)));
    assert_eq!(played.pass(120_000, false), []);
}

#[test]
fn the_station_ends_before_anything_else_does() {
    for (input, then) in [
        (Input::Terminate, Effect::Exit),
        (Input::Asked(SystemRequest::Restart), Effect::EndMachine(End::Restart)),
        (Input::Asked(SystemRequest::PowerOff), Effect::EndMachine(End::PowerOff)),
    ] {
        let mut played = Played::new(false);
        played.input(Input::Ready);
        assert_eq!(played.input(input.clone()), [Effect::EndStation]);
        // Asked twice, it is told once.
        assert_eq!(played.input(input), []);
        assert_eq!(played.input(Input::Ended(Some(0))), [then]);
    }
    // Between two starts there is nobody to wait for.
    let mut played = Played::new(false);
    played.input(Input::Ended(Some(1)));
    assert_eq!(played.input(Input::Terminate), [Effect::Exit]);
}

#[test]
fn data_are_made_anew_only_where_they_are_lost() {
    let mut played = Played::new(false);
    played.input(Input::Ready);
    assert!(matches!(&played.input(Input::Asked(SystemRequest::MakeDataAnew))[..], [Effect::Say(_)]));
    played.keeper.state.data = DataState::Broken;
    assert_eq!(played.input(Input::Asked(SystemRequest::MakeDataAnew)), [Effect::EndStation]);
    assert_eq!(played.input(Input::Ended(Some(0))), [Effect::MakeDataAnew]);
    let effects = played.input(Input::DataMade(Ok(())));
    assert_eq!(effects, [Effect::StartStation, Effect::Tell]);
    assert_eq!(played.keeper.state().data, DataState::Good);
    // And one that can't be made: the kiosk comes back all the same.
    played.keeper.state.data = DataState::Broken;
    played.input(Input::Asked(SystemRequest::MakeDataAnew));
    played.input(Input::Ended(Some(0)));
    assert!(has(&played.input(Input::DataMade(Err("worn out".to_owned()))), &Effect::StartStation));
    assert_eq!(played.keeper.state().data, DataState::Broken);
}

#[test]
fn an_update_is_offered_installed_and_waits() {
    let mut played = Played::new(false);
    played.offered(false);
    let asked = |version: &str| Input::Asked(SystemRequest::Install { version: version.to_owned(), older: false });
    assert!(matches!(&played.input(asked("1.6.0"))[..], [Effect::Say(_)]));
    assert_eq!(played.input(asked("1.5.0")), [Effect::Install, Effect::Tell]);
    for percent in [40, 20, 200] {
        played.input(Input::Percent(percent));
    }
    assert_eq!(*played.update(), UpdateState::Installing { version: "1.5.0".to_owned(), percent: 100 });
    // Looked for meanwhile: afterwards.
    assert_eq!(played.input(Input::Asked(SystemRequest::Look)), []);
    assert_eq!(played.input(Input::Installed(Ok(()))), [Effect::Look, Effect::Tell]);
    assert_eq!(*played.update(), UpdateState::Installed { version: "1.5.0".to_owned() });
    assert_eq!(played.keeper.state().other_version.as_deref(), Some("1.5.0"));
    // The same drive once more; and none.
    played.offered(false);
    played.input(Input::Looked(Looked::Nothing));
    assert_eq!(*played.update(), UpdateState::Installed { version: "1.5.0".to_owned() });
}

#[test]
fn an_older_update_needs_somebody_who_allows_it() {
    let mut played = Played::new(false);
    played.offered(true);
    let asked = |older| Input::Asked(SystemRequest::Install { version: "1.5.0".to_owned(), older });
    assert_eq!(played.input(asked(false)), [Effect::Tell]);
    let UpdateState::Refused { code, .. } = played.update() else { panic!("{:?}", played.update()) };
    assert_eq!(code.to_string(), "P-U-003");
    played.offered(true);
    assert!(has(&played.input(asked(true)), &Effect::Install));
}

#[test]
fn an_update_that_fails_says_why() {
    let mut played = Played::new(false);
    played.offered(false);
    played.input(Input::Asked(SystemRequest::Install { version: "1.5.0".to_owned(), older: false }));
    let refusal = Refusal { code: platen_events::Code::UpdateDamaged, text: "torn".to_owned() };
    played.input(Input::Installed(Err(refusal)));
    let UpdateState::Refused { code, text } = played.update() else { panic!("{:?}", played.update()) };
    assert_eq!((code.to_string().as_str(), text.as_str()), ("P-U-002", "torn"));
    assert_eq!(played.keeper.state().other_version, None);
}

/// Whatever comes in whatever order: the station is never started twice, a machine that ends stays at that, and a system on
/// trial that is never well is left.
#[test]
fn random_histories_keep_their_promises() {
    let mut seed: u64 = 0x5eed;
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) % below
    };
    let (mut starts, mut machine_ends) = (0, 0);
    for round in 0..2000 {
        let mut played = Played::new(round % 2 == 0);
        let mut is_running = true;
        for _ in 0..60 {
            played.now_ms += next(40_000);
            let input = match next(12) {
                0 if is_running => Input::Ended([Some(0), Some(1), Some(2), None][next(4) as usize]),
                1 => Input::Ready,
                2 => Input::Alive,
                3 => Input::Asked(SystemRequest::Look),
                4 => Input::Asked(SystemRequest::Install { version: "1.5.0".to_owned(), older: next(2) == 0 }),
                5 => Input::Asked(SystemRequest::MakeDataAnew),
                6 if next(8) == 0 => Input::Asked(SystemRequest::Restart),
                7 => Input::Looked(Looked::Offered { version: "1.5.0".to_owned(), is_older: next(2) == 0 }),
                8 => Input::Percent(next(200) as u8),
                9 => Input::Installed(Ok(())),
                _ => Input::Tick,
            };
            if matches!(input, Input::Ended(_)) {
                is_running = false;
            }
            let effects = played.input(input);
            for effect in &effects {
                match effect {
                    Effect::StartStation => {
                        assert!(!is_running, "started twice");
                        (is_running, starts) = (true, starts + 1);
                    }
                    Effect::MakeDataAnew | Effect::EndMachine(_) | Effect::Exit => {
                        assert!(!is_running, "not ended first")
                    }
                    _ => {}
                }
            }
            if effects.iter().any(|effect| matches!(effect, Effect::EndMachine(_))) {
                machine_ends += 1;
                break;
            }
        }
    }
    assert!(starts > 1000 && machine_ends > 500, "{starts} starts, {machine_ends} ends: too few to see anything");
}
