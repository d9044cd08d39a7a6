// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use std::path::{Path, PathBuf};

use embedded_graphics::prelude::*;

use super::*;

const PATH: &str = "/etc/platen/board.toml";

fn problems(text: &str) -> Vec<String> {
    match Board::parse(text, Path::new(PATH)) {
        Err(PanelError::Problems { problems, .. }) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("expected problems, found {other:?}"),
    }
}

fn board(text: &str) -> Board {
    Board::parse(text, Path::new(PATH)).unwrap_or_else(|error| panic!("{error}"))
}

const SMALL: &str = "name = \"bench\"\n[panel]\nkind = \"drm\"\nsize = [800, 480]\n";

#[test]
fn a_small_file_is_a_board() {
    let found = board(SMALL);
    let panel =
        DrmPanel { card: None, connector: None, size: Size::new(800, 480), rotation: Rotation::None, backlight: None };
    assert_eq!((found.panel.size(), found.panel.is_mono()), (Size::new(800, 480), false));
    assert_eq!(found.panel, Panel::Drm(panel));
    assert_eq!((found.touch, found.keys, found.lights), (None, None, Vec::new()));
}

#[test]
fn a_backlight_is_a_name_at_a_display_and_a_line_at_a_bus() {
    assert_eq!(board(SMALL).panel.backlight(), None);
    assert_eq!(board(&format!("{SMALL}backlight = \"10-0045\"\n")).panel.backlight(), Some("10-0045"));
    let text = problems(&format!("{SMALL}backlight = {{ chip = \"/dev/gpiochip0\", line = 18 }}\n"));
    assert!(text[0].starts_with("line 5: panel.backlight: expected "), "{text:?}");
}

#[test]
fn every_field_is_read() {
    let found = board(
        r#"
        name = "everything"
        [panel]
        kind = "spi"
        controller = "ili9486"
        bus = "/dev/spidev0.0"
        speed-hz = 16_000_000
        size = [320, 480]
        rotation = 270
        millimetres = [49, 73]
        offset = [0, 0]
        mirrored = true
        colours = "bgr"
        inverted = true
        data-command = { chip = "/dev/gpiochip0", line = 24 }
        reset = { chip = "/dev/gpiochip0", line = 25 }
        backlight = { chip = "/dev/gpiochip0", line = 18, active-low = true }
        [touch]
        name = "ADS7846"
        calibration = [0, -1.02, 1.01, 1, 0.0, 0]
        [keys]
        name = "gpio-keys"
        [buttons]
        previous = { chip = "/dev/gpiochip0", line = 5, active-low = true }
        choose = { chip = "/dev/gpiochip0", line = 6, active-low = true }
        next = { chip = "/dev/gpiochip0", line = 13, active-low = true }
        [encoder]
        a = { chip = "/dev/gpiochip1", line = 0 }
        b = { chip = "/dev/gpiochip1", line = 1 }
        press = { chip = "/dev/gpiochip1", line = 2 }
        changes = 2
        [[light]]
        port = "1"
        lamp = { led = "platen:1" }
        [[light]]
        port = "2"
        red = { chip = "/dev/gpiochip1", line = 10 }
        green = { led = "platen:2:green" }
        [buzzer]
        kind = "pwm"
        chip = "/sys/class/pwm/pwmchip0"
        channel = 1
        "#,
    );
    assert_eq!((found.panel.size(), found.millimetres), (Size::new(480, 320), Some((49, 73))));
    let Panel::Spi(panel) = &found.panel else { panic!("{found:?}") };
    assert_eq!(
        (panel.controller, panel.speed_hz, panel.rotation),
        (Controller::Ili9486, 16_000_000, Rotation::ThreeQuarters)
    );
    assert!(panel.is_mirrored && panel.is_bgr && panel.is_inverted);
    assert_eq!(panel.backlight, Some(Line { chip: "/dev/gpiochip0".into(), line: 18, is_active_low: true }));
    let calibration = [0.0, -1.02, 1.01, 1.0, 0.0, 0.0];
    assert_eq!(found.touch, Some(Touch { name: Some("ADS7846".to_owned()), calibration }));
    assert_eq!(found.keys, Some(Keys { name: Some("gpio-keys".to_owned()) }));
    assert_eq!(found.buttons.map(|buttons| buttons.next.line), Some(13));
    assert_eq!(found.encoder.map(|encoder| (encoder.b.line, encoder.changes)), Some((1, 2)));
    assert_eq!(found.lights[0].lamps, Lamps::One(Lamp::Led("platen:1".to_owned())));
    assert!(matches!(&found.lights[1].lamps, Lamps::Colours([Some(Lamp::Line(_)), Some(Lamp::Led(_)), None])));
    assert_eq!(found.buzzer, Some(Buzzer::Pwm("/sys/class/pwm/pwmchip0".into(), 1)));
}

#[test]
fn the_other_kinds_are_read() {
    let text = "name = \"n\"\n[panel]\nkind = \"i2c\"\ncontroller = \"ssd1306\"\nbus = \"/dev/i2c-1\"\naddress = 0x3d\nrotation = 90\n";
    let found = board(text);
    assert_eq!(
        found.panel,
        Panel::I2c(I2cPanel { bus: "/dev/i2c-1".into(), address: 0x3d, rotation: Rotation::Quarter })
    );
    assert_eq!((found.panel.size(), found.panel.is_mono()), (Size::new(64, 128), true));
    let buzzer = |text: &str| board(&format!("{SMALL}[buzzer]\n{text}")).buzzer;
    assert_eq!(buzzer("kind = \"evdev\""), Some(Buzzer::Evdev(None)));
    let line = Line { chip: "/dev/gpiochip0".into(), line: 4, is_active_low: false };
    assert_eq!(buzzer("kind = \"gpio\"\nline = { chip = \"/dev/gpiochip0\", line = 4 }"), Some(Buzzer::Line(line)));
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let said = problems("nam = \"bench\"\n[panel]\nkind = \"drn\"\n");
    assert_eq!(
        said,
        [
            "line 1: name: expected what people call the board, found none",
            "line 1: nam: expected one of the fields buttons, buzzer, encoder, keys, light, name, panel, touch, found an unknown field; did you mean name?",
            "line 3: panel.kind: expected one of drm, spi, i2c, found \"drn\"; did you mean drm?",
        ]
    );
    let one = |text: &str| problems(&format!("name = \"n\"\n{text}")).join("\n");
    for (text, expected) in [
        ("", "line 1: panel: expected a table [panel], found none"),
        (
            "[panel]\nkind = \"drm\"",
            "line 2: panel.size: expected width and height in pixels, such as [800, 480], found none",
        ),
        (
            "[panel]\nkind = \"drm\"\nsize = [800]",
            "line 4: panel.size: expected two whole numbers from 64 to 8192, such as [320, 240], found a list",
        ),
        (
            "[panel]\nkind = \"drm\"\nsize = [800, 480]\nrotation = 45",
            "line 5: panel.rotation: expected 0, 90, 180 or 270, found 45",
        ),
        (
            "[panel]\nkind = \"drm\"\nsize = [480, 800]\nmillimetres = [154, 86]",
            "line 2: panel.millimetres: expected width and height like those of 480 x 800 square pixels, found 154 x 86",
        ),
        (
            "[panel]\nkind = \"drm\"\nsize = [800, 480]\ncard = \"card0\"",
            "line 5: panel.card: expected an absolute path such as /dev/dri/card0, found \"card0\"",
        ),
        (
            "[panel]\nkind = \"i2c\"\ncontroller = \"ssd1306\"\nbus = \"/dev/i2c-1\"\naddress = 0x78",
            "line 6: panel.address: expected a whole number from 8 to 119, found 0x78",
        ),
        (
            "[panel]\nkind = \"spi\"\ncontroller = \"st7789\"\nbus = \"/dev/spidev0.0\"\nsize = [240, 320]\noffset = [0, 80]\n data-command = { chip = \"/dev/gpiochip0\", line = 1 }",
            "line 2: panel.size: expected with offset at most 240 x 320, before it is turned, found 240 x 400",
        ),
        (
            "[panel]\nkind = \"spi\"\ncontroller = \"st7789\"\nbus = \"/dev/spidev0.0\"\nsize = [240, 320]",
            "line 2: panel.data-command: expected a line such as { chip = \"/dev/gpiochip0\", line = 17 }, found none",
        ),
    ] {
        assert_eq!(one(text), expected, "{text}");
    }
    let more = |text: &str| problems(&format!("{SMALL}{text}")).join("\n");
    for (text, expected) in [
        (
            "[touch]\ncalibration = [1, 0, 0, 0, 1]",
            "line 6: touch.calibration: expected a list of six numbers from -1000 to 1000, found a list",
        ),
        (
            "[touch]\ncalibration = [1, 0, 0, 0, inf, 0]",
            "line 6: touch.calibration: expected a list of six numbers from -1000 to 1000, found a list",
        ),
        (
            "[buttons]\nprevious = { chip = \"/dev/gpiochip0\", line = 5 }\nchoose = { chip = \"/dev/gpiochip0\", line = 6 }\n next = { chip = \"/dev/gpiochip0\", line = 5 }",
            "line 8: buttons.next.line: expected a line of its own, found line 5 of /dev/gpiochip0 again (also buttons.previous.line)",
        ),
        (
            "[encoder]\na = { chip = \"/dev/gpiochip0\", line = 5 }\nb = { chip = \"/dev/gpiochip1\", line = 5 }",
            "line 5: encoder.b: expected a line of the same chip as a, /dev/gpiochip0, found /dev/gpiochip1",
        ),
        (
            "[[light]]\nport = \"1\"\nlamp = { led = \"a\" }\nred = { led = \"b\" }",
            "line 5: light[1].lamp: expected either lamp, or some of red, green and blue, found both",
        ),
        (
            "[[light]]\nport = \"1\"\nlamp = { led = \"../../etc\" }",
            "line 7: light[1].lamp.led: expected a name below /sys/class/leds, found \"../../etc\"",
        ),
        (
            "[[light]]\nport = \"1\"\nlamp = { led = \"a\" }\n[[light]]\nport = \"1\"\nlamp = { led = \"b\" }",
            "line 8: light[2].port: expected a port that has no other light, found \"1\" again",
        ),
        ("[buzzer]\nkind = \"bell\"", "line 6: buzzer.kind: expected one of evdev, pwm, gpio, found \"bell\""),
    ] {
        assert_eq!(more(text), expected, "{text}");
    }
    assert!(one("[panel").starts_with("line 2: TOML: expected valid TOML"), "{}", one("[panel"));
}

/// The boards of this project.
#[test]
fn the_projects_boards_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../board");
    let entries = std::fs::read_dir(folder).expect("the boards").map(|entry| entry.expect("lists").path());
    let files: Vec<PathBuf> = entries.map(|entry| entry.join("board.toml")).filter(|file| file.exists()).collect();
    for file in &files {
        Board::load(file).unwrap_or_else(|error| panic!("{error}"));
    }
    assert!(files.len() >= 3, "{files:?}");
}

#[test]
fn a_file_that_is_not_there_or_too_long_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("board.toml");
    let error = Board::load(&file).expect_err("it is not there");
    assert!(matches!(&error, PanelError::Read { path, .. } if *path == file), "{error:?}");
    assert_eq!(error.to_string(), format!("{}: expected a board's file that can be read", file.display()));
    std::fs::write(&file, "#".repeat(1 << 21)).expect("writes");
    let error = Board::load(&file).expect_err("it is too long");
    assert!(error.chain().ends_with(": it has more than 1048576 bytes"), "{}", error.chain());
}
