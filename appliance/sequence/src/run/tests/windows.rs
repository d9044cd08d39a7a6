// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Questions about the Windows that is on a computer before the sequence begins.

use super::*;

#[test]
fn the_type_of_windows_is_looked_at_where_it_is_known() {
    let check = |wanted: &str| {
        let variables = format!(
            "variables = [{{ property = \"CheckOSType\", value = \"true\" }}, {{ property = \"OSType\", value = \"{wanted}\" }}]"
        );
        step("Check", "Check Readiness", &variables)
    };
    let said = |computer: &Computer, text: &str| {
        let dry = DryRun::of(&sequence(text), computer, &[]).expect("within the limits");
        dry.steps.last().expect("a step").detail.clone()
    };
    assert_eq!(said(&laptop(), &check("CLIENT")), "the computer is ready");
    assert_eq!(said(&laptop(), &check("SERVER")), "expected a Windows of type SERVER, found CLIENT");
    let bare = Computer { windows: None, ..laptop() };
    assert_eq!(said(&bare, &check("SERVER")), "the computer is ready; which Windows it has is not known");
    let disk = step("Disk", "Format and Partition Disk", "") + &check("CLIENT");
    assert_eq!(said(&laptop(), &disk), "expected a Windows of type CLIENT, found none any more");
}

#[test]
fn questions_about_windows_are_answered_from_its_description() {
    let computer = laptop();
    let mut environment = Environment::default();
    environment.set("Folder", r"C:\Windows", false, Origin::Step).expect("a variable");
    let ask = |question: &str, windows: OldWindows<'_>| {
        let text = step("A", "Restart Computer", &format!("condition = {question}"));
        let sequence = sequence(&text);
        let condition = sequence.steps()[0].conditions[0].clone();
        condition.evaluate(World { environment: &environment, computer: &computer, windows })
    };
    let here = OldWindows::of(computer.windows.as_ref());
    for (question, holds) in [
        (r"{ file = '%Folder%\EXPLORER.exe' }", true),
        (r"{ file = 'C:\Windows\notepad.exe' }", false),
        // A folder is no file.
        (r"{ file = 'C:\Users\user' }", false),
        (r"{ folder = 'c:/users/user/' }", true),
        (
            r"{ file = 'C:\Windows\explorer.exe', version = { operator = 'greaterEqual', value = '10.00.19041.4474' } }",
            true,
        ),
        (r"{ file = 'C:\Windows\explorer.exe', version = { operator = 'greater', value = '10.0.19041.4474' } }", false),
        (r"{ file = 'C:\Windows\explorer.exe', version = { operator = 'less', value = '10.0.19041.10000' } }", true),
        (
            r"{ file = 'C:\Windows\explorer.exe', date-time = { operator = 'less', value = '20240613000000.000000+000' } }",
            true,
        ),
        (r"{ folder = 'C:\Users\user', date-time = { operator = 'less', value = '2090-01-01' } }", false),
        (r"{ registry = 'HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT', operator = 'exists' }", true),
        (r"{ registry = 'HKLM\SOFTWARE\Micro', operator = 'exists' }", false),
        (r"{ registry = 'HKLM\SOFTWARE\Micro', operator = 'nonExists' }", true),
        (
            r"{ registry = 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion', value = 'currentbuild', operator = 'greaterEqual', data = '9600' }",
            true,
        ),
        (
            r"{ registry = 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion', value = 'UBR', operator = 'equals', data = '0x117a' }",
            true,
        ),
        (
            r"{ registry = 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion', value = 'None', operator = 'notEquals', data = '1' }",
            false,
        ),
        (r"{ software = '6d3f3b3c-5d1b-4c6e-9a54-2f0a5b7c8d90', operator = 'ThisVersion' }", true),
        (r"{ software = '', operator = 'AnyVersion', upgrade-code = '{1B5A2C3D-0E4F-4A6B-8C7D-9E0F1A2B3C4D}' }", true),
        (r"{ software = '{00000000-0000-0000-0000-000000000000}', operator = 'ThisVersion' }", false),
        (r"{ operating-system = { version = '10.00.19041', operator = 'greaterEqual', architecture = 'x64' } }", true),
        (r"{ operating-system = { version = '10.00.22000', operator = 'greaterEqual' } }", false),
        (r"{ operating-system = { architecture = 'x86' } }", false),
    ] {
        let decision = ask(question, here);
        assert!(decision.holds == holds && !decision.why.contains("taken as false"), "{question}: {decision:?}");
        for (windows, why) in [
            (OldWindows::Unknown, "nothing is known of the Windows on this computer, taken as false"),
            (OldWindows::Gone, "the Windows that was on this computer is gone, taken as false"),
        ] {
            let decision = ask(question, windows);
            assert!(!decision.holds && decision.why.ends_with(why), "{question}: {decision:?}");
        }
    }
    let strange = ask(r"{ registry = 'HKLM\SOFTWARE', operator = 'resembles' }", here);
    assert!(!strange.holds && strange.why.contains("nobody here knows the operator \"resembles\""), "{strange:?}");
}

#[test]
fn the_old_windows_is_gone_once_the_disk_is_partitioned() {
    let asked = |name: &str| step(name, "Restart Computer", r"condition = { folder = 'C:\Users\user' }");
    let text = asked("Before") + &step("Disk", "Format and Partition Disk", "") + &asked("After");
    let found = dry(&text);
    assert_eq!(words(&found), ["Before boot system", "Disk boot system", "After skipped"]);
    assert!(found.steps[2].detail.contains("is gone"), "{:?}", found.steps[2]);
}

#[test]
fn a_description_of_windows_is_read_strictly() {
    let text = "schema = 1\nfirmware = \"BIOS\"\narchitecture = \"x86\"\n[windows]\nversoin = \"10.0\"\narchitecture = \"x64\"\n\
                [[windows.file]]\nversion = \"1\"\n[[windows.folder]]\npath = 'C:\\x'\nversion = \"1\"\n\
                [[windows.registry]]\nname = \"x\"\n[[windows.product]]\ncode = 7\n";
    let problems = Computer::from_toml(text).expect_err("wrong");
    let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for said in [
        "line 4: windows.version: expected its version",
        "line 6: windows.architecture: expected \"x86_64\" or \"x86\" or \"arm64\", found \"x64\"",
        "windows.versoin: expected",
        "path: expected a path with its drive letter, found none",
        "version: expected",
        "key: expected a key with its hive, found none",
        "code: expected a text in quotes",
    ] {
        assert!(found.iter().any(|line| line.contains(said)), "{said}: {found:#?}");
    }
}
