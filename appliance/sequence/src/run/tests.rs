// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What only a look at single rules shows; tests/generated compares the engine with a model.

use super::*;

mod windows;

fn sequence(text: &str) -> TaskSequence {
    let text = format!("schema = 1\n{text}");
    TaskSequence::from_toml(&text, &mut |_| Err(String::new())).unwrap_or_else(|error| panic!("{error}"))
}

fn step(name: &str, kind: &str, more: &str) -> String {
    format!("[[do]]\nstep = \"{name}\"\ntype = \"{kind}\"\n{more}\n")
}

fn laptop() -> Computer {
    Computer::from_toml(include_str!("../../../example/computers/uefi-laptop.toml")).expect("a description")
}

fn dry(text: &str) -> DryRun {
    DryRun::of(&sequence(text), &laptop(), &[]).expect("within the limits")
}

fn words(dry: &DryRun) -> Vec<String> {
    let word = |step: &DryStep| match (&step.outcome, &step.place) {
        (_, Some(place @ Where::Cannot { .. })) | (Outcome::Runs, Some(place)) => place.word(),
        (Outcome::Fails, _) => "fails",
        _ => "skipped",
    };
    dry.steps.iter().map(|step| format!("{} {}", step.path, word(step))).collect()
}

#[test]
fn a_cursor_fits_its_own_sequence_only() {
    let one = sequence(&step("A", "Restart Computer", ""));
    let other = sequence(&step("B", "Restart Computer", ""));
    let cursor = Run::new(&one).cursor().clone();
    Run::resume(&one, cursor.clone()).expect("its own");
    let refused = Run::resume(&other, cursor.clone()).expect_err("another");
    assert!(matches!(refused, CursorError::OtherSequence { .. }), "{refused}");
    for at in [vec![], vec![2], vec![0, 0], vec![1, 0]] {
        let refused = Run::resume(&one, Cursor { at: at.clone(), ..cursor.clone() }).expect_err("no such place");
        assert_eq!(refused, CursorError::NoSuchPlace { at });
    }
    Run::resume(&one, Cursor { at: vec![1], ..cursor }).expect("behind the last one");
}

#[test]
fn a_step_may_ask_for_a_restart_and_for_another_try() {
    let sequence = sequence(&[step("A", "Restart Computer", ""), step("B", "Restart Computer", "")].concat());
    let (computer, mut environment) = (laptop(), Environment::default());
    let mut run = Run::new(&sequence);
    let next = |run: &mut Run<'_>, environment: &Environment| match run.next(World {
        environment,
        computer: &computer,
        windows: OldWindows::Unknown,
    }) {
        Next::Step { path, .. } => path,
        other => panic!("{other:?}"),
    };
    assert_eq!(next(&mut run, &environment), "A");
    for name in ["SMSTSRebootRequested", "SMSTSRetryRequested"] {
        environment.set(name, "HD", false, Origin::Step).expect("a variable");
    }
    assert_eq!(run.ended(0, &mut environment), Ok(After::Restart));
    assert_eq!(next(&mut run, &environment), "A", "it asked to be tried again");
    environment.set("SMSTSRebootRequested", "WinPE", false, Origin::Step).expect("a variable");
    assert_eq!(run.ended(0, &mut environment), Ok(After::Restart));
    assert_eq!(next(&mut run, &environment), "B");
    assert_eq!(run.ended(7, &mut environment), Ok(After::Failed));
    assert_eq!(environment.get("_SMSTSLastActionRetCode"), Some("7"));
    assert_eq!(environment.get("_SMSTSLastActionSucceeded"), Some("false"));
    let over = run.next(World { environment: &environment, computer: &computer, windows: OldWindows::Unknown });
    assert_eq!(over, Next::Over(Err(Failed { path: "B".into(), code: 7 })));
}

#[test]
fn exit_codes_are_compared_by_their_bits() {
    let sequence = sequence(&step("A", "Restart Computer", "success-codes = [0, -2147023436, 4294967295]"));
    let step = sequence.steps()[0].step.clone();
    for (code, good) in
        [(0, true), (2_147_943_860, true), (-2_147_023_436, true), (-1, true), (1, false), (3010, false)]
    {
        assert_eq!(step.succeeds_with(code), good, "{code}");
    }
}

#[test]
fn each_step_runs_in_the_system_that_is_there() {
    let text = [
        step("Plan", "Run Command Line", "command = 'smsswd.exe /run: powercfg.exe /s x'"),
        step("Disk", "Format and Partition Disk", ""),
        step("Early", "Install Application", ""),
        step("Apply", "Apply Operating System Image", ""),
        step("Settings", "Apply Windows Settings", ""),
        step("Hive", "Run Command Line", "command = 'smsswd.exe /run:PKG00001 reg add HKLM\\SOFTWARE\\X /v Y'"),
        step("Tool", "Run Command Line", "command = '\"C:\\Program Files\\tool.exe\" /q'"),
        step("Own", "Run Command Line", "command = 'sh check.sh'"),
        step("Script", "Run PowerShell Script", ""),
        step("Windows", "Setup Windows and ConfigMgr", ""),
        step("Later", "Run PowerShell Script", ""),
        step("App", "Install Application", ""),
        step("Late", "Format and Partition Disk", ""),
        step("Only", "Run Command Line", "run-in = \"WinPE\"\ncommand = 'sh x'"),
        step("Back", "Restart Computer", "command = 'smsboot.exe /target:WinPE'"),
        step("Capture", "Capture Operating System Image", ""),
        step("Moon", "unknown step type", "class = \"Moon\""),
    ];
    let expected = [
        "Plan can't",
        "Disk boot system",
        "Early can't",
        "Apply boot system",
        "Settings offline",
        "Hive offline",
        "Tool can't",
        "Own boot system",
        "Script can't",
        "Windows offline",
        "Later first start",
        "App first start",
        "Late can't",
        "Only can't",
        "Back can't",
        "Capture can't",
        "Moon can't",
    ];
    let forgiving = text.map(|step| step + "continue-on-error = true\n");
    assert_eq!(words(&dry(&forgiving.concat())), expected);
}

#[test]
fn what_cant_be_done_ends_the_sequence_unless_that_forgives() {
    let tool = |more: &str| step("Tool", "Run Command Line", &format!("command = 'tool.exe'\n{more}"));
    let next = step("Next", "Set Task Sequence Variable", "");
    let stops = dry(&(tool("") + &next));
    assert_eq!((words(&stops), stops.failed.as_deref()), (vec!["Tool can't".to_owned()], Some("Tool")));
    assert!(stops.report().ends_with("0 failed\nthe sequence ends with an error at Tool\n"), "{}", stops.report());
    let goes_on = dry(&(tool("continue-on-error = true") + &next));
    assert_eq!((words(&goes_on).len(), goes_on.failed), (2, None));
    let asks = "condition = { variable = \"_SMSTSLastActionRetCode\", operator = \"equals\", value = \"2147500037\" }";
    let asked = dry(&(tool("continue-on-error = true") + &step("Next", "Set Task Sequence Variable", asks)));
    assert_eq!(words(&asked)[1], "Next boot system", "its code is Configuration Manager's");
}

#[test]
fn the_users_of_a_windows_stay_where_they_are() {
    let capture = step("Capture", "Capture User State", "");
    assert_eq!(words(&dry(&capture)), ["Capture can't"]);
    let computer = Computer { windows: None, ..laptop() };
    let dry = DryRun::of(&sequence(&capture), &computer, &[]).expect("within the limits");
    assert_eq!(words(&dry), ["Capture boot system"], "the control: no Windows is known");
}

#[test]
fn a_state_store_of_nobody_else_is_on_the_computers_own_disk() {
    let text = step("Request", "Request State Store", "") + &step("Setup", "Setup Windows and ConfigMgr", "");
    let found = dry(&(text + &step("Release", "Release State Store", "")));
    assert_eq!(found.steps[0].detail, "OSDStateStorePath = \"C:\\\\UserState\"");
    assert_eq!(words(&found)[2], "Release first start");
    let own = [("OSDStateStorePath".to_owned(), "D:\\Own".to_owned(), false)];
    let found = DryRun::of(&sequence(&step("Request", "Request State Store", "")), &laptop(), &own);
    assert_eq!(found.expect("within the limits").steps[0].detail, "OSDStateStorePath = \"D:\\\\Own\"");
}

#[test]
fn the_phases_of_mdt_lead_through_its_groups() {
    let group = |phase: &str, inside: &str| {
        format!(
            "[[do]]\ngroup = \"{phase}\"\ncondition = {{ variable = \"PHASE\", operator = \"equals\", value = \"{phase}\" }}\n{}",
            inside.replace("[[do]]", "[[do.do]]")
        )
    };
    let next = step("Next", "MDT script", "command = 'cscript.exe \"%SCRIPTROOT%\\ZTINextPhase.wsf\"'");
    let restart = step("Restart", "Restart Computer", "command = 'smsboot.exe /target:WinPE'");
    let install = step("Install", "MDT: Install Operating System", "");
    let app = step("App", "MDT: Install Application", "");
    let text = [
        group("VALIDATION", &next),
        group("STATECAPTURE", &next),
        group("NOWHERE", &next),
        group("PREINSTALL", &next),
        group("INSTALL", &(install + &next)),
        group("POSTINSTALL", &(next.clone() + &restart)),
        group("STATERESTORE", &(app + &next)),
    ];
    let found = words(&dry(&text.concat()));
    assert_eq!(found[2], "NOWHERE skipped");
    assert_eq!(found[4..6], ["INSTALL / Install boot system", "INSTALL / Next boot system"]);
    assert_eq!(found[8..], ["STATERESTORE / App first start", "STATERESTORE / Next first start"], "{found:?}");
}

#[test]
fn a_computer_that_is_not_ready_fails_its_group() {
    let check = |mib: u32| {
        let variables = format!(
            "variables = [{{ property = \"CheckMemory\", value = \"true\" }}, {{ property = \"Memory\", value = \"{mib}\" }}]"
        );
        step("Check", "Check Readiness", &variables)
    };
    let with = |mib: u32| dry(&(check(mib) + &step("Next", "Restart Computer", "")));
    assert_eq!((words(&with(16_384)).len(), with(16_384).failed), (2, None), "the control");
    let failed = with(16_385);
    assert_eq!(
        (words(&failed), &*failed.steps[0].detail),
        (vec!["Check fails".to_owned()], "expected 16385 MiB of memory, found 16384")
    );
    assert!(failed.report().contains("the sequence ends with an error at Check"));
}

#[test]
fn scripts_of_mdt_in_powershell_are_what_they_do() {
    let at = |command: &str, more: &str| {
        let text = step("Gather", "MDT: Gather", "")
            + more
            + &step("A", "Run Command Line", &format!("command = '{command}'"));
        dry(&text).steps.last().expect("a step").place.clone().expect("it runs")
    };
    let system = step("Install", "MDT: Install Operating System", "");
    assert_eq!(at(r"powershell.exe -file %SCRIPTROOT%\PSDConfigure.ps1", &system), Where::Offline);
    let Where::Cannot { todo, .. } = at(r"powershell.exe -file x.ps1", &system) else {
        panic!("it is a Windows program")
    };
    assert!(todo.contains("STATERESTORE") && !todo.contains("Setup Windows"), "{todo}");
}

#[test]
fn secrets_of_rules_and_of_the_medium_are_never_shown() {
    let rules = "<Rules><Rule><condition><expression type='SMS_TaskSequence_MakeModelConditionExpression'>\
                 <variable name='Make'>Len*</variable><variable name='Model'>20X?0055GE</variable></expression></condition>\
                 <Variables><Variable Name='Local' IsSecret='true'>hunter2</Variable><Variable Name='Plain'>%_SMSTSMake%</Variable>\
                 </Variables></Rule><Rule><condition><expression type='SMS_TaskSequence_MakeModelConditionExpression'>\
                 <variable name='Make'>Dell*</variable><variable name='Model'>*</variable></expression></condition>\
                 <Variables><Variable Name='Never'>x</Variable></Variables></Rule></Rules>";
    let text = [
        step(
            "Rules",
            "Set Dynamic Variables",
            &format!("variables = [{{ property = \"Rules\", value = \"{rules}\" }}]"),
        ),
        step(
            "Copy",
            "Set Task Sequence Variable",
            "variables = [{ property = \"VariableName\", value = \"Again\" }, { property = \"VariableValue\", value = \"a-%Word%-%Local%\" }]",
        ),
        step("Ask", "Restart Computer", "condition = { variable = \"Again\", operator = \"equals\", value = \"x\" }"),
    ];
    let medium = [("Word".to_owned(), "swordfish".to_owned(), true)];
    let dry = DryRun::of(&sequence(&text.concat()), &laptop(), &medium).expect("within the limits");
    assert_eq!(dry.steps[0].detail, "Local = \"********\", Plain = \"LENOVO\"");
    assert_eq!(dry.steps[1].detail, "Again = \"********\"");
    assert_eq!(dry.steps[2].detail, "Again equals \"x\": it is \"********\"");
    let all = format!("{dry:?}{}", serde_json::to_string(&dry).expect("JSON"));
    assert!(!all.contains("hunter2") && !all.contains("swordfish") && all.contains("LENOVO"), "{all}");
}

#[test]
fn descriptions_are_read_strictly() {
    let problems = Computer::from_toml("schema = 1\nfirmware = \"Uefi\"\nmodle = \"x\"\n[[disk]]\nmodel = 1\n")
        .expect_err("wrong");
    let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(
        found[0].starts_with("line 1: architecture: expected \"x86_64\" or \"x86\" or \"arm64\", found none"),
        "{found:?}"
    );
    assert!(found[1].starts_with("line 2: firmware: expected \"BIOS\" or \"UEFI\", found \"Uefi\""), "{found:?}");
    assert!(found[2].ends_with("found an unknown field; did you mean model?"), "{found:?}");
    assert_eq!(found.len(), 5, "{found:?}");
}

#[test]
fn the_queries_of_real_sequences_are_answered_on_three_machines() {
    let computers = [
        include_str!("../../../example/computers/bios-desktop.toml"),
        include_str!("../../../example/computers/uefi-laptop.toml"),
        include_str!("../../../example/computers/virtual-machine.toml"),
    ];
    let computers = computers.map(|text| Computer::from_toml(text).expect("a description"));
    let environment = Environment::default();
    // Desktop, laptop, virtual machine.
    for (namespace, query, expected) in [
        (r"root\cimv2", "SELECT * FROM Win32_BIOS WHERE SMBIOSBIOSVersion = 'A29'", [true, false, false]),
        (
            r"root\cimv2",
            "select SMBIOSBIOSVersion from win32_bios where smbiosbiosversion like 'N32ET%'",
            [false, true, false],
        ),
        (r"root\cimv2", "SELECT * FROM Win32_ComputerSystem WHERE Model LIKE '%OptiPlex 7010%'", [true, false, false]),
        (
            r"root\cimv2",
            "Select * From Win32_ComputerSystem Where Manufacturer Like \"%Lenovo%\"",
            [false, true, false],
        ),
        (
            r"ROOT/CIMV2",
            "SELECT * FROM Win32_ComputerSystem WHERE Model = 'Virtual Machine' OR Model LIKE 'VMware%'",
            [false, false, true],
        ),
        (
            r"root\cimv2",
            "SELECT * FROM Win32_ComputerSystem WHERE NOT Manufacturer LIKE 'Dell%' AND TotalPhysicalMemory > 8000000000",
            [false, true, false],
        ),
        (r"\\.\root\cimv2", "SELECT * FROM Win32_ComputerSystem WHERE Model <> 'x'", [true, true, true]),
        (r"root\cimv2", "SELECT * FROM Win32_DiskPartition WHERE DiskIndex = 0 AND Index >= 1", [true, false, false]),
        (
            r"root\cimv2",
            "SELECT * FROM Win32_DiskDrive WHERE InterfaceType != 'USB' AND Size < 200000000000",
            [false, false, true],
        ),
        (r"root\cimv2", "SELECT * FROM Win32_LogicalDisk WHERE DriveType = 3", [false, false, false]),
        (r"root\cimv2", "SELECT * FROM Win32_SystemEnclosure WHERE ChassisTypes = 10", [false, true, false]),
        (r"root\cimv2", "SELECT * FROM Win32_NetworkAdapterConfiguration WHERE IPEnabled = TRUE", [true, false, true]),
        (r"root\cimv2", "SELECT * FROM Win32_Battery", [false, true, false]),
        (r"root\wmi", "SELECT * FROM Lenovo_BiosSetting WHERE CurrentSetting = 'x'", [false, false, false]),
        (r"root\HP\InstrumentedBIOS", "SELECT * FROM HP_BIOSSetting WHERE Name <= 'x'", [false, false, false]),
    ] {
        let condition =
            crate::Condition::If(crate::Expression::Wmi { namespace: namespace.into(), query: query.into() });
        let answers = computers.each_ref().map(|computer| {
            condition.evaluate(World { environment: &environment, computer, windows: OldWindows::Unknown })
        });
        assert_eq!(answers.each_ref().map(|answer| answer.holds), expected, "{query}: {answers:?}");
        let is_vendors = !namespace.to_lowercase().contains("cimv2");
        assert_eq!(answers[0].why.contains("taken as false"), is_vendors, "{answers:?}");
    }
}

#[test]
fn what_the_sequence_set_comes_before_what_a_step_says() {
    let set = |value: &str| {
        let pair = format!(
            "variables = [{{ property = \"VariableName\", value = \"OSDDiskIndex\" }}, {{ property = \"VariableValue\", value = \"{value}\" }}]"
        );
        step("Set", "Set Task Sequence Variable", &pair)
    };
    let disk = |hidden: &str| {
        let index =
            format!("variables = [{{ property = \"DiskIndex\", name = \"OSDDiskIndex\"{hidden}, value = \"0\" }}]");
        step("Disk", "Format and Partition Disk", &index)
    };
    assert_eq!(words(&dry(&disk("")))[0], "Disk boot system", "the control");
    let other = dry(&(set("7") + &disk("")));
    assert_eq!((&*other.steps[1].detail, other.failed), ("there is no disk 7", Some("Disk".to_owned())));
    assert_eq!(words(&dry(&(set("7") + &disk(", hidden = true"))))[1], "Disk boot system");
}

#[test]
fn a_disk_that_cannot_be_divided_so_is_refused() {
    let disk = |rows: &[[&str; 3]]| {
        let mut pairs = vec![("Partitions".to_owned(), rows.len().to_string())];
        for (at, row) in rows.iter().enumerate() {
            let names = ["Type", "Size", "SizeUnits"];
            pairs.extend(names.iter().zip(row).map(|(name, value)| (format!("Partitions{at}{name}"), (*value).into())));
        }
        let pair = |(name, value): &(String, String)| format!("{{ property = \"{name}\", value = \"{value}\" }}");
        let pairs: Vec<String> = pairs.iter().map(pair).collect();
        step("Disk", "Format and Partition Disk", &format!("variables = [{}]", pairs.join(", ")))
    };
    let esp = ["EFI", "300", "MB"];
    let outcome = |rows: &[[&str; 3]]| dry(&disk(rows)).steps.remove(0);
    assert_eq!(outcome(&[esp, ["Primary", "100", "%"]]).outcome, Outcome::Runs, "the control");
    for (rows, expected) in [
        ([esp, ["Primary", "1000000", "GB"]], "disk 0: the disk is too small: expected 107374"),
        ([["EFI", "10", "MB"], ["Primary", "100", "%"]], "disk 0: partition 1 is too small for FAT32: expected "),
        ([["EFI", "100", "%"], ["Primary", "100", "%"]], "OSDPartitions0Size: expected less than 100 percent"),
        ([esp, ["Primary", "101", "%"]], "OSDPartitions1Size: expected a whole number of 1 to 100, found \"101\""),
        ([esp, ["Primary", "1", "TB"]], "OSDPartitions1SizeUnits: expected MB, GB or PERCENT, found \"TB\""),
        ([esp, ["Logical", "100", "%"]], "OSDPartitions1Type: expected Primary, Hidden, Recovery, EFI or MSR"),
    ] {
        let step = outcome(&rows);
        assert_eq!(step.outcome, Outcome::Fails, "{rows:?}");
        assert!(step.detail.starts_with(expected), "{}", step.detail);
    }
}
