// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use std::time::Duration;

use platen_events::Code;

use super::*;

fn doing() -> Doing {
    Doing {
        name: "Windows 11 Office".to_owned(),
        version: "24.11.2".to_owned(),
        organisation: "Contoso".to_owned(),
        medium: "Medium PLT00001 revision 7, valid until 2027-06-30T00:00:00Z".to_owned(),
        step: (4, 9),
        step_name: "Apply the operating system".to_owned(),
        share: Some(("applying the image".to_owned(), 0.474)),
        left: Some(Duration::from_secs(530)),
    }
}

fn failure(code: Code) -> Failure {
    Failure {
        code,
        medium: ("Windows 11 Office".to_owned(), "24.11.2".to_owned()),
        reason: "step Install / Apply the operating system failed with code 0x80004005".to_owned(),
        log: (1..=6).map(|number| format!("Install / Step {number}: done")).collect(),
        computer: "This computer's disk is not ready for use.",
        reference: Some(format!("{code} PLT00001/7 STEP 4 80004005 SN ABC-123456")),
    }
}

#[test]
fn the_page_of_a_step_says_how_far_it_is() {
    let rows = doing().page().rows();
    assert_eq!(rows.len(), ROWS);
    assert!(rows[1].starts_with("   ▀▀▀▀ ▀▀▀▀   Windows 11 Office 24.11.2  "), "{}", rows[1]);
    assert!(rows[1].ends_with(" Contoso") && rows[1].chars().count() == COLUMNS - 3, "{}", rows[1]);
    assert_eq!(rows[4], "   ██    ██  ████████");
    assert_eq!(rows[8], "         ██        ██  %");
    assert_eq!(rows[11], "   Apply the operating system");
    assert_eq!(rows[13], format!("   {}", "█".repeat(74)), "the bar and what is left of it");
    assert!(rows[15].starts_with("   Applying the image, about 9 min left") && rows[15].ends_with("Step 4 of 9"));
    assert!(rows[19].contains("Do not switch it off."));
    assert!(rows[23].contains("valid until 2027-06-30"));

    let unknown = Doing { share: None, left: None, step: (10, 12), ..doing() };
    let rows = unknown.page().rows();
    assert!(rows[8].ends_with("of 12"), "{rows:#?}");
    assert!(rows[15].ends_with("Step 10 of 12"));
}

/// What a console is told about the bar's cells.
#[test]
fn the_bar_is_as_long_as_the_share_and_never_longer_than_its_line() {
    let full = |share| {
        let text = Doing { share: Some((String::new(), share)), ..doing() }.page().to_console(80, 25);
        let bar = text.split("\x1b[14;1H").nth(1).and_then(|rest| rest.split("\x1b[15;1H").next()).expect("the bar");
        let blue = bar.split("\x1b[0;34;40m").nth(1).map_or("", |rest| rest.split('\x1b').next().unwrap_or(""));
        blue.chars().filter(|&sign| sign == '█').count()
    };
    assert_eq!([full(0.0), full(0.5), full(1.0), full(7.0)], [0, 37, 74, 74]);
}

#[test]
fn foreign_text_neither_leaves_its_place_nor_moves_the_cursor() {
    let long = "x\x1b[2J한국\u{202e}".repeat(60);
    let hostile = Doing {
        name: long.clone(),
        version: long.clone(),
        organisation: long.clone(),
        medium: long.clone(),
        step: (usize::MAX, usize::MAX),
        step_name: long.clone(),
        share: Some((long.clone(), f64::NAN)),
        left: Some(Duration::MAX),
    };
    let failed = Failure {
        reason: long.clone(),
        log: vec![long.clone(); 40],
        medium: (long.clone(), long),
        ..failure(Code::TargetStep)
    };
    let too_long = Failure { reference: Some("X".repeat(400)), ..failed.clone() };
    for page in [hostile.page(), failed.page(), too_long.page()] {
        assert!(page.rows().iter().all(|row| !row.contains(['\x1b', '한', '\u{202e}'])), "{:#?}", page.rows());
        assert!(page.rows().iter().all(|row| row.chars().count() <= COLUMNS));
    }
}

#[test]
fn every_code_of_a_booted_computer_has_its_whole_sentence_on_the_page() {
    let codes = Code::ALL.iter().filter(|code| code.entry().id.starts_with("P-T-"));
    for &code in codes {
        for reference in [None, failure(code).reference] {
            let page = Failure { reference, ..failure(code) }.page();
            let text: String = page.rows().iter().map(|row| row.replace(['█', '▀', '▄', '▐'], " ") + " ").collect();
            let words: Vec<&str> = text.split_whitespace().collect();
            let text = words.join(" ");
            let entry = code.entry();
            for part in [entry.id, entry.advice.word(), "disk is not ready for use.", "Switch the computer off"] {
                assert!(text.contains(part), "{code}: {part}: {:#?}", page.rows());
            }
            // Beside the code's sign, a line of the sentence may stand apart from the next.
            for word in entry.what.split(' ').chain(entry.todo.split(' ')) {
                assert!(words.contains(&word), "{code}: {word}: {:#?}", page.rows());
            }
        }
    }
}

#[test]
fn a_larger_screen_has_the_page_in_its_middle() {
    let text = doing().page().to_console(128, 48);
    assert!(text.contains("\x1b[12;25H") && text.contains("\x1b[36;25H") && !text.contains("\x1b[37;25H"));
}

/// As it is drawn with a font of 8 by 16 dots, for a program that reads such codes from pictures (PGM, plain).
fn picture(page: &Grid) -> String {
    let rows = page.rows();
    let mut text = format!("P2 {} {} 1\n", COLUMNS * 8, ROWS * 16);
    for row in rows {
        let signs: Vec<char> = row.chars().chain(std::iter::repeat(' ')).take(COLUMNS).collect();
        for dot in 0..16 {
            for sign in &signs {
                let is_light = matches!((sign, dot < 8), ('█', _) | ('▀', true) | ('▄', false));
                text.push_str(if is_light { "1 1 1 1 1 1 1 1 " } else { "0 0 0 0 0 0 0 0 " });
            }
            text.push('\n');
        }
    }
    text
}

#[test]
fn another_program_reads_the_code_from_the_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.pgm");
    let longest = "P-T-014 PLT00001/4294967295 STEP 20000 80004005 SN ".to_owned() + &"X".repeat(26);
    for reference in ["P-T-003 PLT00001/7 STEP 4 SN -".to_owned(), longest] {
        let page = Failure { reference: Some(reference.clone()), ..failure(Code::TargetStep) }.page();
        std::fs::write(&file, picture(&page)).expect("writes");
        let read = platen_testkit::station::tool("zbarimg", &["-q", "--raw", file.to_str().expect("UTF-8")]).expect(0);
        assert_eq!(read.stdout.trim_end(), reference);
    }
    // The control: the page of a code that is too long has none.
    let page = Failure { reference: Some("x".repeat(400)), ..failure(Code::TargetStep) }.page();
    std::fs::write(&file, picture(&page)).expect("writes");
    assert_eq!(
        platen_testkit::station::tool("zbarimg", &["-q", "--raw", file.to_str().expect("UTF-8")]).expect(4).stdout,
        ""
    );
}
