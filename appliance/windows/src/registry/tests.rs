// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;

fn one(line: &str) -> (Hive, String, Action) {
    match command(line).expect(line) {
        Command::Change(RegistryChange { hive, change: Change { key, action } }) => (hive, key, action),
        other => panic!("{line}: {other:?}"),
    }
}

fn set(name: &str, data: Data) -> Action {
    Action::SetValue { name: name.to_owned(), data }
}

#[test]
fn commands_become_changes_of_hives() {
    for (line, hive, key, action) in [
        (
            r#"reg add "HKLM\SOFTWARE\Example\A b" /v Name /t REG_SZ /d "a \"b\" c:\\" /f"#,
            Hive::Software,
            r"Example\A b",
            set("Name", Data::text(REG_SZ, r#"a "b" c:\"#)),
        ),
        (
            r"C:\Windows\system32\REG.EXE ADD hkey_local_machine\system\CurrentControlSet\Control /v x /t reg_dword /d 0x10",
            Hive::System,
            r"CurrentControlSet\Control",
            set("x", Data::dword(16)),
        ),
        (
            r"cmd.exe /c reg add HKU\.Default\Control\ /ve /d a",
            Hive::Default,
            "Control",
            set("", Data::text(REG_SZ, "a")),
        ),
        (r"reg add HKLM\Software\X", Hive::Software, "X", Action::CreateKey),
        (
            r"reg add HKLM\Software\X /v m /t REG_MULTI_SZ /d a\0b",
            Hive::Software,
            "X",
            set("m", Data::texts(["a", "b"])),
        ),
        (
            r"reg add HKLM\Software\X /v m /t REG_MULTI_SZ /s ; /d a;b /reg:32",
            Hive::Software,
            r"WOW6432Node\X",
            set("m", Data::texts(["a", "b"])),
        ),
        (
            r"reg add HKCR\.x /v b /t REG_BINARY /d 00fF",
            Hive::Software,
            r"Classes\.x",
            set("b", Data::binary(vec![0, 255])),
        ),
        (
            r"reg add HKLM\Software\X /v e /t REG_EXPAND_SZ",
            Hive::Software,
            "X",
            set("e", Data::text(REG_EXPAND_SZ, "")),
        ),
        (
            r"reg add HKLM\Software\X /v q /t REG_QWORD /d 5000000000",
            Hive::Software,
            "X",
            set("q", Data::qword(5_000_000_000)),
        ),
        (r"reg delete HKLM\Software\X /f", Hive::Software, "X", Action::DeleteKey),
        (r"reg delete HKLM\Software\X /va /f", Hive::Software, "X", Action::DeleteAllValues),
        (r"reg delete HKLM\Software\X /ve /f", Hive::Software, "X", Action::DeleteValue { name: String::new() }),
        (r"reg add HKLM\Offline\X", Hive::Loaded(r"hklm\offline".to_owned()), "X", Action::CreateKey),
        (r"reg add HKU\Def", Hive::Loaded(r"hku\def".to_owned()), "", Action::CreateKey),
    ] {
        assert_eq!(one(line), (hive, key.to_owned(), action), "{line}");
    }
    let file = r"C:\Users\Default\NTUSER.DAT".to_owned();
    let name = r"hku\def".to_owned();
    assert_eq!(
        command(r#"reg load HKU\Def "C:\Users\Default\NTUSER.DAT""#),
        Ok(Command::Load { name: name.clone(), file })
    );
    assert_eq!(command(r"reg unload HKU\DEF"), Ok(Command::Unload { name }));
    assert_eq!(command("reg import a.reg"), Ok(Command::Import { file: "a.reg".to_owned() }));
}

#[test]
fn what_can_not_be_done_offline_says_why() {
    let long = format!(r"reg add HKLM\SOFTWARE\{}", "a".repeat(256));
    let deep = format!(r"reg add HKLM\SOFTWARE\{}", r"a\".repeat(600));
    let big = format!(r"reg add HKLM\SOFTWARE\a /v b /d {}", "a".repeat(9000));
    for (line, said) in [
        (r"reg add HKCU\Software\X /v a", "nobody is logged on"),
        (r"reg add HKU\S-1-5-21-1\Software", "logs on later"),
        (r"reg add HKLM\HARDWARE\X", "anew at each start"),
        (r"reg add HKLM\BCD00000000\X", "boot store"),
        (r"reg add HKLM", "no key of a file"),
        (r"reg add \\server\HKLM\SOFTWARE\X", "another computer's"),
        (r"reg add HKXX\SOFTWARE\X", "a key, such as"),
        (r"reg add HKLM\SOFTWARE\\X", "a key, such as"),
        (r"reg delete HKLM\SOFTWARE /f", "a key below the hive's root"),
        (r"reg add HKLM\SOFTWARE\X /v", "a value after /v"),
        (r"reg add HKLM\SOFTWARE\X /va", "expected /v /ve"),
        (r"reg add HKLM\SOFTWARE\X /v a /t REG_DWORD /d 4294967296", "32 bits"),
        (r"reg add HKLM\SOFTWARE\X /v a /t REG_BINARY /d 0", "pairs of hexadecimal"),
        (r"reg add HKLM\SOFTWARE\X /v a /t REG_LINK", "a type, such as REG_SZ"),
        (r"reg query HKLM\SOFTWARE\X", "add, delete, import"),
        (r"reg add HKLM\SOFTWARE\X && del x", "not one plain reg command"),
        (r"regedit /s a.reg", "not one plain reg command"),
        ("", "not one plain reg command"),
        (&long, "at most 255"),
        (&deep, "at most 512"),
        (&big, "at most 16344"),
    ] {
        let error = command(line).expect_err(line).to_string();
        assert!(error.contains(said) && error.len() < 300, "{line:.80}: {error}");
    }
}

#[test]
fn files_of_the_registry_editor_are_read() {
    let text = "Windows Registry Editor Version 5.00\r\n\r\n; a comment\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\A]\r\n\
                @=\"x \\\"y\\\" C:\\\\z\\\\\"\r\n\"d\\\"\"=dword:0000000a\r\n\"b\"=hex:00,ff,\\\r\n  01\r\n\
                \"e\"=hex(2):25,00,61,00,\\\r\n  00,00\r\n\"gone\"=-\r\n\r\n[-HKEY_LOCAL_MACHINE\\SOFTWARE\\B]\r\n";
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let found = import(&utf16).expect("imports");
    assert_eq!(found, import(text.as_bytes()).expect("imports"), "and without its mark");
    let actions: Vec<Action> = found.iter().map(|it| it.change.action.clone()).collect();
    assert_eq!(
        actions,
        [
            Action::CreateKey,
            set("", Data::text(REG_SZ, "x \"y\" C:\\z\\")),
            set("d\"", Data::dword(10)),
            set("b", Data::binary(vec![0, 255, 1])),
            set("e", Data { kind: REG_EXPAND_SZ, bytes: vec![0x25, 0, 0x61, 0, 0, 0] }),
            Action::DeleteValue { name: "gone".to_owned() },
            Action::DeleteKey,
        ]
    );
    let old = import(b"REGEDIT4\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\A]\n\"e\"=hex(2):e4,00\n").expect("imports");
    assert_eq!(old[1].change.action, set("e", Data::text(REG_EXPAND_SZ, "ä")));
    // Seen to trouble other readers: texts of several lines, blanks around the parts, bytes that begin on the next line.
    let text = "REGEDIT4\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\A \"b\"]\n  \"q\" = \"SELECT (\n  \\\"x\\\" ; no comment\"\n\t\"d\" = dword:1\n\"h\"=hex:\\\n 01\n";
    let actions: Vec<Action> =
        import(text.as_bytes()).expect("imports").into_iter().map(|it| it.change.action).collect();
    assert_eq!(
        actions[1..],
        [
            set("q", Data::text(REG_SZ, "SELECT (\r\n  \"x\" ; no comment")),
            set("d", Data::dword(1)),
            set("h", Data::binary(vec![1])),
        ]
    );
    for (text, said) in [
        ("", "line 1 of the .reg file"),
        ("REGEDIT5\n", "line 1"),
        ("REGEDIT4\n\"a\"=\"b\"", "line 2"),
        ("REGEDIT4\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\A\n", "between [ and ]"),
        ("REGEDIT4\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\A]\n\"a\"=dword:x", "line 3"),
        ("REGEDIT4\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\A]\n\"a\"=\"b", "line 3"),
        ("REGEDIT4\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\A]\nhex", "line 3"),
        ("REGEDIT4\n[-HKEY_LOCAL_MACHINE\\SOFTWARE\\A]\n\"a\"=\"b\"", "line 3"),
        ("REGEDIT4\n[HKEY_CURRENT_USER\\A]\n", "nobody is logged on"),
    ] {
        let error = import(text.as_bytes()).expect_err(text).to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[test]
fn a_long_key_is_not_held_for_each_of_its_values() {
    let key = vec!["a".repeat(255); 500].join("\\");
    let text = format!("REGEDIT4\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\{key}]\n{}", "@=-\n".repeat(150_000));
    let error = import(text.as_bytes()).expect_err("too much").to_string();
    assert!(error.contains("bytes of keys"), "{error}");
}

#[test]
fn changes_come_back_from_json() {
    let text = "REGEDIT4\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\A]\n@=\"\"\n\"b\"=hex(7):61,00,00\n\"c\"=-\n[-HKEY_LOCAL_MACHINE\\SOFTWARE\\A]";
    let changes: Vec<Change> = import(text.as_bytes()).expect("imports").into_iter().map(|it| it.change).collect();
    let json = serde_json::to_string(&changes).expect("JSON");
    assert!(json.contains(r#"{"key":"A","action":"set-value","name":"b","kind":7,"bytes":"610000000000"}"#), "{json}");
    assert_eq!(serde_json::from_str::<Vec<Change>>(&json).expect("reads"), changes);
    let error = serde_json::from_str::<Data>(r#"{"kind":3,"bytes":"é0"}"#).expect_err("no digits").to_string();
    assert!(error.contains("expected pairs of hexadecimal digits"), "{error}");
}
