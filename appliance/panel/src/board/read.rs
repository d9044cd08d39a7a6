// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The text of `board.toml`, with every problem at once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use platen_media::fields::{self, Fields, Problem, Report, nearest};
use toml::de::DeValue;

use super::{Board, Buttons, Buzzer, Encoder, Keys, Lamp, Lamps, Light, Line, Touch, panel};

/// A longer text is no name.
const MOST_CHARS: usize = 64;
/// No board has more.
const MOST_LIGHTS: usize = 256;
/// No chip has more lines.
const LAST_LINE: u32 = 1023;

const AS_IT_IS: [f64; 6] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];

pub(super) fn board(text: &str) -> Result<Board, Vec<Problem>> {
    fields::read(text, document)
}

/// What is taken out so far: lines of chips, which can be used once.
#[derive(Default)]
pub(super) struct Used(BTreeMap<(PathBuf, u32), String>);

fn document(_: &Report<'_>, mut board: Fields<'_, '_, '_>) -> Option<Board> {
    let mut used = Used::default();
    let name = name(&mut board, "name");
    if name.is_none() {
        board.missing("name", "what people call the board");
    }
    let panel = match board.table("panel") {
        Some(fields) => panel::read(fields, &mut used),
        None => {
            board.missing("panel", "a table [panel]");
            None
        }
    };
    let touch = board.table("touch").map(touch);
    let keys = board.table("keys").map(|mut keys| {
        let name = self::name(&mut keys, "name");
        keys.finish();
        Keys { name }
    });
    let buttons = board.table("buttons").and_then(|fields| buttons(fields, &mut used));
    let encoder = board.table("encoder").and_then(|fields| encoder(fields, &mut used));
    let lights = lights(&mut board, &mut used);
    let buzzer = board.table("buzzer").and_then(|fields| buzzer(fields, &mut used));
    board.finish();
    let (panel, millimetres) = panel?;
    Some(Board { name: name?, panel, millimetres, touch, keys, buttons, encoder, lights, buzzer })
}

fn touch(mut fields: Fields<'_, '_, '_>) -> Touch {
    let name = name(&mut fields, "name");
    let mut calibration = AS_IT_IS;
    if let Some(taken) = fields.take("calibration") {
        let number = |value: &DeValue<'_>| {
            let float = value.as_float().and_then(|float| float.as_str().parse().ok());
            float.or_else(|| value.as_integer().and_then(|integer| integer.as_str().parse().ok()))
        };
        let numbers: Option<Vec<f64>> = taken
            .value
            .as_array()
            .and_then(|items| items.iter().map(|item| number(item.get_ref())).collect::<Option<_>>());
        let is_finite = |numbers: &Vec<f64>| numbers.iter().all(|number| number.abs() <= 1000.0);
        match numbers.filter(is_finite).and_then(|numbers| numbers.try_into().ok()) {
            Some(numbers) => calibration = numbers,
            None => {
                let found = fields::kind(taken.value);
                fields.note(taken.line, "calibration", "a list of six numbers from -1000 to 1000", found);
            }
        }
    }
    fields.finish();
    Touch { name, calibration }
}

fn buttons(mut fields: Fields<'_, '_, '_>, used: &mut Used) -> Option<Buttons> {
    let [previous, choose, next] = ["previous", "choose", "next"].map(|name| needed_line(&mut fields, name, used));
    fields.finish();
    Some(Buttons { previous: previous?, choose: choose?, next: next? })
}

fn encoder(mut fields: Fields<'_, '_, '_>, used: &mut Used) -> Option<Encoder> {
    let [a, b] = ["a", "b"].map(|name| needed_line(&mut fields, name, used));
    let press = line(&mut fields, "press", used);
    if let (Some(a), Some(b)) = (&a, &b)
        && a.chip != b.chip
    {
        let expected = format!("a line of the same chip as a, {}", a.chip.display());
        fields.note(fields.line, "b", expected, b.chip.display().to_string());
    }
    let changes = match fields.number_within("changes", 2..=4, "") {
        Some(changes) if changes.value == 3 => {
            fields.note(changes.line, "changes", "2 or 4", "3");
            4
        }
        Some(changes) => changes.value as u8,
        None => 4,
    };
    fields.finish();
    Some(Encoder { a: a?, b: b?, press, changes })
}

fn lights(board: &mut Fields<'_, '_, '_>, used: &mut Used) -> Vec<Light> {
    let mut lights: Vec<Light> = Vec::new();
    for mut fields in board.tables("light") {
        let port = name(&mut fields, "port");
        if port.is_none() {
            fields.missing("port", "the label of a port");
        }
        if let Some(port) = port.as_ref().filter(|port| lights.iter().any(|light| light.port == **port)) {
            fields.note(fields.line, "port", "a port that has no other light", format!("{port:?} again"));
        }
        let one = lamp(&mut fields, "lamp", used);
        let colours = ["red", "green", "blue"].map(|colour| lamp(&mut fields, colour, used));
        let lamps = match (one, colours.iter().any(Option::is_some)) {
            (Some(one), false) => Some(Lamps::One(one)),
            (None, true) => Some(Lamps::Colours(colours)),
            (found, _) => {
                let found = if found.is_some() { "both" } else { "none" };
                fields.note(fields.line, "lamp", "either lamp, or some of red, green and blue", found);
                None
            }
        };
        if lights.len() == MOST_LIGHTS {
            fields.note(fields.line, "port", format!("at most {MOST_LIGHTS} lights"), "another one");
            fields.finish();
            break;
        }
        fields.finish();
        lights.extend(port.zip(lamps).map(|(port, lamps)| Light { port, lamps }));
    }
    lights
}

fn lamp(fields: &mut Fields<'_, '_, '_>, name: &'static str, used: &mut Used) -> Option<Lamp> {
    let mut lamp = fields.table(name)?;
    let found = match lamp.has("led") {
        true => self::name(&mut lamp, "led").map(Lamp::Led),
        false => line_of(&mut lamp, used).map(Lamp::Line),
    };
    if let Some(Lamp::Led(led)) = &found
        && led.contains('/')
    {
        lamp.note(lamp.line, "led", "a name below /sys/class/leds", format!("{led:?}"));
    }
    lamp.finish();
    found
}

fn buzzer(mut fields: Fields<'_, '_, '_>, used: &mut Used) -> Option<Buzzer> {
    #[derive(Clone, Copy)]
    enum Kind {
        Evdev,
        Pwm,
        Gpio,
    }
    let kind = word(&mut fields, "kind", &[("evdev", Kind::Evdev), ("pwm", Kind::Pwm), ("gpio", Kind::Gpio)]);
    let found = match kind {
        Some(Kind::Evdev) => Some(Buzzer::Evdev(name(&mut fields, "name"))),
        Some(Kind::Pwm) => {
            let chip = needed_path(&mut fields, "chip", "/sys/class/pwm/pwmchip0");
            let channel = fields.number_within("channel", 0..=255, "");
            if channel.is_none() {
                fields.missing("channel", "the number of one of the chip's channels");
            }
            chip.zip(channel).map(|(chip, channel)| Buzzer::Pwm(chip, channel.value))
        }
        Some(Kind::Gpio) => needed_line(&mut fields, "line", used).map(Buzzer::Line),
        // What else there is can't be judged.
        None => return None,
    };
    fields.finish();
    found
}

/// A text of 1 to 64 printable characters.
pub(super) fn name(fields: &mut Fields<'_, '_, '_>, name: &'static str) -> Option<String> {
    let text = fields.text(name)?;
    let is_name = (1..=MOST_CHARS).contains(&text.value.chars().count()) && !text.value.chars().any(char::is_control);
    if !is_name {
        let expected = format!("a text of 1 to {MOST_CHARS} printable characters");
        fields.note(text.line, name, expected, format!("{:?}", text.value));
        return None;
    }
    Some(text.value)
}

/// One of a few words, which must be there.
pub(super) fn word<T: Copy>(
    fields: &mut Fields<'_, '_, '_>,
    name: &'static str,
    known: &[(&'static str, T)],
) -> Option<T> {
    let list = known.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    let Some(text) = fields.text(name) else {
        fields.missing(name, &format!("one of {list}"));
        return None;
    };
    let found = known.iter().find(|(word, _)| *word == text.value).map(|(_, value)| *value);
    if found.is_none() {
        let hint = nearest(&text.value, known.iter().map(|(word, _)| *word));
        let hint = hint.map_or(String::new(), |word| format!("; did you mean {word}?"));
        fields.note(text.line, name, format!("one of {list}"), format!("{:?}{hint}", text.value));
    }
    found
}

/// An absolute path.
pub(super) fn path(fields: &mut Fields<'_, '_, '_>, name: &'static str, such_as: &str) -> Option<PathBuf> {
    let text = fields.text(name)?;
    if !text.value.starts_with('/') || text.value.contains('\0') {
        let expected = format!("an absolute path such as {such_as}");
        fields.note(text.line, name, expected, format!("{:?}", text.value));
        return None;
    }
    Some(text.value.into())
}

/// The same where it must be there.
pub(super) fn needed_path(fields: &mut Fields<'_, '_, '_>, name: &'static str, such_as: &str) -> Option<PathBuf> {
    let found = path(fields, name, such_as);
    if found.is_none() {
        fields.missing(name, &format!("an absolute path such as {such_as}"));
    }
    found
}

/// Two whole numbers.
pub(super) fn pair(
    fields: &mut Fields<'_, '_, '_>,
    name: &'static str,
    range: std::ops::RangeInclusive<u32>,
) -> Option<(u32, u32)> {
    let taken = fields.take(name)?;
    let number = |value: &DeValue<'_>| {
        let integer = value.as_integer()?;
        u32::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| range.contains(number))
    };
    let numbers: Option<Vec<u32>> =
        taken.value.as_array().and_then(|items| items.iter().map(|item| number(item.get_ref())).collect::<Option<_>>());
    match numbers.as_deref() {
        Some([first, second]) => Some((*first, *second)),
        _ => {
            let expected = format!("two whole numbers from {} to {}, such as [320, 240]", range.start(), range.end());
            fields.note(taken.line, name, expected, fields::kind(taken.value));
            None
        }
    }
}

/// A line of a GPIO chip.
pub(super) fn line(fields: &mut Fields<'_, '_, '_>, name: &'static str, used: &mut Used) -> Option<Line> {
    let mut table = fields.table(name)?;
    let line = line_of(&mut table, used);
    table.finish();
    line
}

/// The same where it must be there.
pub(super) fn needed_line(fields: &mut Fields<'_, '_, '_>, name: &'static str, used: &mut Used) -> Option<Line> {
    if !fields.has(name) {
        fields.missing(name, "a line such as { chip = \"/dev/gpiochip0\", line = 17 }");
    }
    line(fields, name, used)
}

fn line_of(table: &mut Fields<'_, '_, '_>, used: &mut Used) -> Option<Line> {
    let chip = needed_path(table, "chip", "/dev/gpiochip0");
    let line = table.number_within("line", 0..=LAST_LINE, "");
    if line.is_none() {
        table.missing("line", "the number of one of the chip's lines");
    }
    let is_active_low = table.flag("active-low").is_some_and(|flag| flag.value);
    let (chip, line) = (chip?, line?);
    if let Some(before) = used.0.insert((chip.clone(), line.value), line.field.clone()) {
        let found = format!("line {} of {} again (also {before})", line.value, chip.display());
        table.note(line.line, "line", "a line of its own", found);
    }
    Some(Line { chip, line: line.value, is_active_low })
}
