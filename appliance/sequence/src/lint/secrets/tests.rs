// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Each form in which people write passwords, and what only looks so.

use super::find;

#[test]
fn literals_are_found_and_never_shown() {
    let table = [
        (r#"setup.exe /password:PLANTED-1"#, r#"a value of "password""#),
        (r#"setup.exe /Password PLANTED-1"#, r#"a value of option "/Password""#),
        (r#"tool --api-key=PLANTED-1"#, r#"a value of "api-key""#),
        (r#"tool --client_secret PLANTED-1"#, r#"a value of option "--client_secret""#),
        (r#"$AdminPassword = "PLANTED-1""#, r#"a value of "AdminPassword""#),
        (r#"set PASS=PLANTED-1"#, r#"a value of "PASS""#),
        (r#"msiexec /i a.msi SERVICEPASSWORD="PLANTED 1""#, r#"a value of "SERVICEPASSWORD""#),
        (r#"sqlcmd -S host -U me -P PLANTED-1 -Q x"#, r#"a value of option "-P""#),
        (r#"psexec.exe \\host -u me -p PLANTED-1 cmd"#, r#"a value of option "-p""#),
        (r#"cmd /c net user Administrator PLANTED-1"#, r#"a password after "net user""#),
        (r#"NET.EXE USE Z: \\s\share PLANTED-1 /user:d\u"#, r#"a password after "net use""#),
        (r#"net use Z: \\s\share /user:d\u PLANTED-1"#, r#"a password after "net use""#),
        (r#"ConvertTo-SecureString "PLANTED-1" -AsPlainText -Force"#, "a literal for ConvertTo-SecureString"),
        ("x\n-----BEGIN RSA PRIVATE KEY-----\nPLANTED-1", "a private key"),
        (r"cmdkey /add:server /user:me /pass:PLANTED-1", r#"a value of "pass""#),
        (r"schtasks /create /tn t /tr x.cmd /ru d\u /rp PLANTED-1", r#"a value of option "/rp""#),
        ("curl -u me:PLANTED-1 http://host/file", r#"a password after "curl -u""#),
        ("curl.exe -O https://me:PLANTED-1@host/file", "a password in an address"),
        (r#"ConvertTo-SecureString -String "PLANTED-1" -AsPlainText -Force"#, "a literal for ConvertTo-SecureString"),
        (r#"ConvertTo-SecureString -AsPlainText -Force PLANTED-1"#, "a literal for ConvertTo-SecureString"),
        (
            r#"New-LocalUser -Name me -Password (ConvertTo-SecureString "PLANTED-1" -AsPlainText -Force)"#,
            "a literal for ConvertTo-SecureString",
        ),
        (r"netdom join %COMPUTERNAME% /domain:d /userd:u /passwordd:PLANTED-1", r#"a value of "passwordd""#),
        (r#"BiosConfigUtility64.exe /set:a.txt /cspwd:"PLANTED-1""#, r#"a value of "cspwd""#),
        ("cctk.exe --setuppwd=PLANTED-1", r#"a value of "setuppwd""#),
        ("cctk.exe --setuppwd= --valsetuppwd=PLANTED-1", r#"a value of "valsetuppwd""#),
        (
            "manage-bde -protectors -add C: -rp 111111-222222-333333-444444-555555-666666-777777-888888",
            "a BitLocker recovery password",
        ),
        (
            r#"reg add "HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon" /v DefaultPassword /t REG_SZ /d PLANTED-1 /f"#,
            r#"a value of "DefaultPassword""#,
        ),
        (r"Set-ItemProperty -Path HKLM:\x -Name DefaultPassword -Value PLANTED-1", r#"a value of "DefaultPassword""#),
        ("msiexec /i agent.msi /qn CUSTOMER_KEY=PLANTED-1", r#"a value of "CUSTOMER_KEY""#),
        ("msiexec /i agent.msi /qn SITE_TOKEN=PLANTED-1", r#"a value of "SITE_TOKEN""#),
        (
            // $Password = "PLANTED-1"
            "powershell.exe -NoProfile -enc JABQAGEAcwBzAHcAbwByAGQAIAA9ACAAIgBQAEwAQQBOAFQARQBEAC0AMQAiAA==",
            r#"an encoded command with a value of "Password""#,
        ),
        // cschneegans/unattend-generator #295: in the address that made an answer file.
        (
            "https://host/generator/?Locale=en-US&AccountPassword0=PLANTED-1&AutoLogon=Own",
            r#"a value of "AccountPassword0""#,
        ),
        (r#"[string]$pass = "PLANTED-1""#, r#"a value of "pass""#),
        ("slmgr /ipk ABCDE-12345-FGHIJ-67890-KLMNO", "a product key"),
    ];
    for (text, hint) in table {
        let found = find(text);
        // A recovery password after its option is seen as both.
        assert!(found.iter().any(|found| found == hint), "{text}: {found:?}");
        assert!(found.len() == 1 || text.contains("-rp 1"), "{text}: {found:?}");
        assert!(!found.concat().contains("PLANTED"));
    }
}

#[test]
fn lines_of_a_megabyte_end_and_are_said_in_few_words() {
    let many: String = (0..70_000).map(|n| format!("p{n}xpassword=PLANTED\n")).collect();
    for text in ["reg ".repeat(1 << 18), "net use ".repeat(1 << 17), "-u ".repeat(1 << 18), many.replace('\n', " ")] {
        let found = find(&text);
        assert!(found.len() <= 100, "{}", found.len());
    }
    assert_eq!(find(&many).len(), 100);
    let name = "x".repeat(1 << 20);
    assert!(find(&format!("{name}password=PLANTED")).concat().len() < 100);
}

#[test]
fn references_and_ordinary_commands_are_not() {
    for text in [
        "setup.exe /password:%OSDLocalAdminPassword%",
        "tool --password $env:SECRET",
        "tool --password $(get-it)",
        "set PASS=%X%",
        "net user Administrator *",
        "net user Administrator /active:no",
        "net user Administrator %PW%",
        r"net use Z: \\server\share",
        r"net use Z: \\server\share /user:d\u %PW%",
        "mkdir -p C:\\x",
        "cmd /c copy a b /y",
        "sqlcmd -U me -P %PW%",
        "ConvertTo-SecureString $pw -AsPlainText -Force",
        "ConvertTo-SecureString -String $pw",
        // jessehouwing/gitleaks-azure #5.
        r#"ConvertTo-SecureString "$(Prod.Password)""#,
        r#"ConvertTo-SecureString -String "$($Prod.Password)" -AsPlainText -Force"#,
        "https://host/x?password=%PW%&token=",
        "slmgr /ipk XXXXX-XXXXX-XXXXX-XXXXX-XXXXX",
        "echo passing tokens=2 by",
        // The false findings of real files.
        r#"tsenv.exe "BIOSPassword=" /hiddenflag:True"#,
        "set PASS=1",
        "set PASS=true",
        "OSDRandomAdminPassword=true",
        "OSDBitLockerCreateRecoveryPassword=AD",
        "OSDBitLockerCreateRecoveryPassword=PLANTED",
        "setup.exe RequirePassword=no",
        r"reg add HKLM\x /v DisableDomainCreds /t REG_DWORD /d 1 /f",
        r"reg add HKLM\x /v DefaultPassword /d %PW% /f",
        r"reg add HKLM\x /v AutoAdminPassword /t REG_DWORD /d 1 /f",
        "curl -u me:%PW% http://host/file",
        "curl -u me http://host:8080/file",
        "https://host:443/path@2x.png",
        "git clone https://me:%TOKEN%@host/x",
        "schtasks /create /tn t /ru SYSTEM",
        "manage-bde -protectors -add C: -rp",
        "manage-bde -on C: -rp -used",
        r"set REG_KEY=HKLM\SOFTWARE\x",
        "set PUBLIC_KEY=abcdef",
        r"set APP_KEY=HKLM\SOFTWARE\x",
        "$token = Get-AccessToken -Tenant x",
        "$Password = Read-Host",
        "if ($password == $other) { }",
        "powershell.exe -enc JABhACAAPQAgADEA",
        "powershell.exe -ExecutionPolicy Bypass -File x.ps1",
        "Convert-Path -String x",
        "cctk.exe --setuppwd=%PW%",
        "tool --password",
        "tool --password --force",
        "",
    ] {
        assert_eq!(find(text), Vec::<String>::new(), "{text}");
    }
}
