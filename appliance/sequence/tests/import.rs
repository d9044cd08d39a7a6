// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What other programs export: each peculiarity that was seen is taken, and said; the strict reader is the control.

#![allow(clippy::unwrap_used)]

use platen_sequence::{
    ChangeKind, Condition, Expression, Form, Imported, Node, Secret, SequenceError, StepKind, TaskSequence,
    VariableOperator,
};

fn import(xml: &str) -> Imported {
    Imported::from_bytes(xml.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{xml}"))
}

fn wrap(inside: &str) -> String {
    format!("<sequence version=\"3.10\">{inside}</sequence>")
}

fn step(attributes: &str, inside: &str) -> String {
    wrap(&format!("<step type=\"SMS_TaskSequence_RebootAction\" name=\"S\" {attributes}>{inside}</step>"))
}

fn question(operator: &str) -> String {
    format!(
        "<expression type=\"SMS_TaskSequence_VariableConditionExpression\"><variable name=\"Variable\">x</variable>\
         <variable name=\"Operator\">{operator}</variable><variable name=\"Value\">1</variable></expression>"
    )
}

fn said(imported: &Imported) -> Vec<(ChangeKind, &str)> {
    imported.changes.iter().map(|change| (change.kind, &*change.what)).collect()
}

#[test]
fn what_is_documented_passes_both_readers_and_nothing_is_changed() {
    let long = "v".repeat(50_000);
    let script = format!("<variable name=\"OSDScript\" property=\"SourceScript\" hidden=\"true\">{long}</variable>");
    let os = "<expression type=\"SMS_TaskSequence_OSConditionExpression\"><variable name=\"Architecture\">x64</variable>\
              <variable name=\"Version\">10.00</variable><variable name=\"Operator\">equals</variable></expression>";
    for xml in [
        wrap("<referenceList><reference package=\"P1\" program=\"*\"/><reference package=\"P2\"/></referenceList>"),
        step("", &format!("<defaultVarList>{script}</defaultVarList>")),
        step("successCodeList=\"0 3010\" successCodes=\"0 3010\"", ""),
        step("", &format!("<condition>{os}</condition>")),
        step(
            "",
            &format!(
                "<condition><osConditionGroup type=\"or\"><osExpressionGroup Name=\"Windows\">{os}</osExpressionGroup></osConditionGroup></condition>"
            ),
        ),
        wrap("<subtasksequence type=\"SMS_TaskSequence_SubTasksequence\" name=\"Child\" successCodeList=\"0\"/>"),
        wrap("<step type=\"BDD_Gather\" name=\"Gather\"/>"),
    ] {
        let imported = import(&xml);
        assert_eq!(imported.changes, [], "{xml}");
        assert_eq!(TaskSequence::from_xml(&xml).unwrap(), imported.sequence);
        assert_eq!(TaskSequence::from_json(&imported.sequence.to_json()).unwrap(), imported.sequence);
    }
}

#[test]
fn an_element_of_countless_attributes_is_refused_at_once() {
    let attributes: String = (0..900_000).map(|n| format!("a{n}=\"1\" ")).collect();
    let xml = format!("<sequence version=\"3.00\"><step name=\"S\" {attributes}/></sequence>");
    let error = Imported::from_bytes(xml.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "expected at most 256 attributes of one element, found more");
}

#[test]
fn a_step_of_countless_variables_is_refused() {
    let with = |count: usize| {
        let variables: String = (0..count).map(|n| format!("<variable name=\"V{n}\">1</variable>")).collect();
        wrap(&format!(
            "<step type=\"SMS_TaskSequence_RebootAction\" name=\"S\"><defaultVarList>{variables}</defaultVarList></step>"
        ))
    };
    Imported::from_bytes(with(1000).as_bytes()).expect("1,000 of them");
    let error = Imported::from_bytes(with(1001).as_bytes()).unwrap_err();
    assert!(error.to_string().contains("<variable>: expected at most 1000 variables, found more"), "{error}");
}

#[test]
fn what_is_not_documented_is_taken_and_said() {
    use ChangeKind::{Left, Shortened, Translated, Unknown};
    let long = "n".repeat(51);
    let table = [
        (
            "<sequence version=\"3.00\"><step name=\"Next\"><action>cscript.exe \"%SCRIPTROOT%\\ZTINextPhase.wsf\"</action></step></sequence>".to_owned(),
            Translated,
            "step without a type to MDT's step of that command",
        ),
        (wrap("<step type=\"BDD_Moon\" name=\"Moon\"/>"), Unknown, "step type \"BDD_Moon\""),
        (wrap(&format!("<group name=\"{long}\"/>")), Shortened, "name to 50 characters (whole in the description)"),
        (wrap("<group name=\"\"/>"), Translated, "name \"\" to \"(no name)\""),
        (
            wrap(&format!("<group name=\"G\" description=\"{}\"/>", "d".repeat(263))),
            Shortened,
            "description to 256 characters",
        ),
        (step("", "<condition/>"), Translated, "empty <condition> to one that is always true"),
        (
            step("", "<condition><operator type=\"or\"/></condition>"),
            Translated,
            "empty <operator> to one that is always true",
        ),
        (step("", &question("equals")), Translated, "<expression> outside of <condition> to a condition"),
        (
            wrap(
                "<globalVarList><variable name=\"OSGUID\">{1}</variable><variable name=\"OSGUID\">{1}</variable></globalVarList>",
            ),
            Left,
            "a second OSGUID of the same value",
        ),
        (
            wrap(
                "<step type=\"SMS_TaskSequence_SetVariableAction\" name=\"S\"><defaultVarList>\
                  <variable name=\"VariableName\" property=\"VariableName\">_SMSTSOrgName</variable></defaultVarList></step>",
            ),
            Translated,
            "variable _SMSTSOrgName, which is built in, to OSDRegisteredOrgName",
        ),
        (step("colour=\"red\"", ""), Left, "attribute colour of <step>"),
        (step("", "<sound/>"), Left, "<sound> in <step>"),
        (step("retryCount=\"100\"", ""), Shortened, "100 retries to 99"),
        (
            step("", "<condition><expression type=\"SMS_TaskSequence_MoonConditionExpression\"/></condition>"),
            Unknown,
            "expression type \"SMS_TaskSequence_MoonConditionExpression\"",
        ),
        (step("", "<condition><moon/></condition>"), Unknown, "condition <moon>"),
    ];
    for (xml, kind, what) in table {
        assert!(matches!(TaskSequence::from_xml(&xml), Err(SequenceError::Problems { .. })), "control: {xml}");
        let imported = import(&xml);
        let found = said(&imported);
        assert!(found.len() == 1 && found[0].0 == kind && found[0].1.starts_with(what), "{xml}\n{found:?}");
        assert_eq!(imported.sequence.problems(), [], "{xml}");
        assert_eq!(TaskSequence::from_json(&imported.sequence.to_json()).unwrap(), imported.sequence);
        assert!(imported.report().contains(&format!("{}: {what}", kind.word())), "{}", imported.report());
    }
}

#[test]
fn operators_in_either_case_are_the_same() {
    let xml = step("", &format!("<condition>{}</condition>", question("Equals")));
    // The control: our own form has one spelling.
    let strict = TaskSequence::from_xml(&xml);
    assert!(matches!(strict, Err(SequenceError::Problems { .. })), "{strict:?}");
    let imported = import(&xml);
    let equals = Expression::Variable { variable: "x".into(), operator: VariableOperator::Equals, value: "1".into() };
    assert_eq!(imported.sequence.steps()[0].conditions, [&Condition::If(equals)]);
}

#[test]
fn an_empty_or_keeps_nothing_from_running() {
    let both = format!("<condition><operator type=\"or\"/>{}</condition>", question("exists"));
    let imported = import(&step("", &both));
    let known = |_: &str| Some("1".to_owned());
    assert_eq!(imported.sequence.steps()[0].conditions[0].decide(&known), Some(true));
    assert_eq!(import(&step("", "<condition/>")).sequence.steps()[0].conditions.len(), 0);
}

#[test]
fn what_nobody_knows_is_kept_whole() {
    let xml = wrap(
        "<step type=\"BDD_Moon\" name=\"Moon\" disable=\"true\"><action>moon.exe /full</action><defaultVarList>\
         <variable name=\"Phase\" property=\"Phase\">new</variable></defaultVarList></step>",
    );
    let sequence = import(&xml).sequence;
    let Node::Step(step) = &sequence.nodes[0] else { panic!("a step") };
    assert_eq!((step.kind, &*step.type_name, &*step.action), (StepKind::Unknown, "BDD_Moon", "moon.exe /full"));
    assert_eq!((step.disabled, step.property("Phase"), step.label()), (true, Some("new"), "BDD_Moon"));
}

const CHILD: &str = "<sequence version=\"3.10\"><group name=\"G\"/></sequence>";

#[test]
fn a_sequence_is_found_in_its_package() {
    let package = format!(
        "<?xml version=\"1.0\"?><SmsTaskSequencePackage><BootImageID>B1</BootImageID><Description>D</Description>\
         <Name>N</Name><SequenceData>{CHILD}</SequenceData></SmsTaskSequencePackage>"
    );
    let object = format!(
        "<INSTANCE CLASSNAME=\"SMS_TaskSequencePackage\"><PROPERTY NAME=\"BootImageID\"><VALUE>B1</VALUE></PROPERTY>\
         <PROPERTY NAME=\"Description\"><QUALIFIER NAME=\"x\"><VALUE>q</VALUE></QUALIFIER><VALUE>D</VALUE></PROPERTY>\
         <PROPERTY NAME=\"Name\"><VALUE>N</VALUE></PROPERTY><PROPERTY NAME=\"PackageID\"><VALUE>P1</VALUE></PROPERTY>\
         <PROPERTY NAME=\"Sequence\"><VALUE><![CDATA[{CHILD}]]></VALUE></PROPERTY></INSTANCE>"
    );
    for (xml, form, id) in [(&package, Form::Package, ""), (&object, Form::Object, "P1")] {
        let imported = import(xml);
        assert_eq!((imported.form, &*imported.package_id, &*imported.boot_image_id), (form, id, "B1"));
        assert_eq!((&*imported.sequence.name, &*imported.sequence.description), ("N", "D"));
        assert_eq!(imported.sequence.nodes.len(), 1);
    }
    for without in [package.replace("SequenceData", "Other"), object.replace("\"Sequence\"", "\"Other\"")] {
        let error = Imported::from_bytes(without.as_bytes()).unwrap_err();
        assert!(matches!(error, SequenceError::NoSequence { .. }), "{error}");
        assert!(error.to_string().contains("is this the export of a task sequence?"), "{error}");
    }
}

#[test]
fn text_is_utf_8_or_utf_16_with_its_mark() {
    let expected = import(CHILD).sequence;
    let marked = format!("\u{feff}{CHILD}");
    let little: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [marked.as_bytes(), &little, &big] {
        assert_eq!(Imported::from_bytes(bytes).unwrap().sequence, expected);
    }
    let refused = |bytes: &[u8]| Imported::from_bytes(bytes).unwrap_err().to_string();
    assert!(refused(&little[..little.len() - 1]).contains("UTF-16 with a byte order mark"));
    assert!(refused(&[0xff, 0xfe, 0x00, 0xd8, 0x41, 0x00]).ends_with("at byte 2"));
    assert!(refused(b"<sequence\xff").ends_with("at byte 9"));
}

#[test]
fn hostile_files_are_refused() {
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\">]><sequence version=\"3.10\">&a;</sequence>";
    assert!(matches!(Imported::from_bytes(bomb.as_bytes()), Err(SequenceError::Xml(_))));
    let large = " ".repeat((16 << 20) + 1);
    assert!(matches!(Imported::from_bytes(large.as_bytes()), Err(SequenceError::TooLarge { .. })));
    let (open, close) = ("<group name=\"g\">".repeat(33), "</group>".repeat(33));
    let error = Imported::from_bytes(wrap(&format!("{open}{close}")).as_bytes()).unwrap_err();
    assert!(error.to_string().contains("at most 32 levels of groups"), "{error}");
}

#[test]
fn attributes_of_a_megabyte_are_shortened_or_refused_in_few_words() {
    let long = "x".repeat(1 << 20);
    let of = |attribute: &str| {
        let step = format!("<step type=\"SMS_TaskSequence_RebootAction\" {attribute}=\"{long}\"/>");
        let step = if attribute == "name" { step } else { step.replace("<step ", "<step name=\"S\" ") };
        Imported::from_bytes(wrap(&step).as_bytes())
    };
    for (attribute, kind) in [("name", ChangeKind::Shortened), ("colour", ChangeKind::Left)] {
        let imported = of(attribute).unwrap();
        assert_eq!(imported.changes[0].kind, kind, "{attribute}");
        assert!(imported.report().len() < 1000, "{attribute}: {} bytes of report", imported.report().len());
        assert!(imported.sequence.steps()[0].step.name.len() <= 50, "{attribute}");
    }
    for (attribute, said) in [("retryCount", "retryCount"), ("timeout", "timeout"), ("runIn", "runIn")] {
        let error = of(attribute).unwrap_err().to_string();
        assert!(error.contains(said) && error.len() < 1000, "{attribute}: {} bytes of message", error.len());
    }
}

#[test]
fn secrets_are_what_is_marked_so_not_what_is_hidden() {
    let property = |name: &str, value: &str| {
        format!("<variable name=\"{name}\" property=\"{name}\" hidden=\"true\">{value}</variable>")
    };
    let of = |kind: &str, properties: &[(&str, &str)]| {
        let list: String = properties.iter().map(|(name, value)| property(name, value)).collect();
        let xml =
            format!("<step type=\"SMS_TaskSequence_{kind}\" name=\"S\"><defaultVarList>{list}</defaultVarList></step>");
        let found = import(&wrap(&xml)).sequence.secrets();
        found.into_iter().map(|Secret { name, value, .. }| (name, value)).collect::<Vec<_>>()
    };
    let rules = |secret: &str| {
        let xml = format!(
            "<Rules><Rule><Variables><Variable Name=\"V\" IsSecret=\"{secret}\">PLANTED</Variable></Variables></Rule></Rules>"
        );
        xml.replace('<', "&lt;")
    };
    let one = |name: &str| vec![(name.to_owned(), "PLANTED".to_owned())];
    // As exports hide them, all of them.
    assert_eq!(of("RunCommandLineAction", &[("CommandLine", "x.cmd"), ("SuccessCodes", "0"), ("PackageID", "P")]), []);
    assert_eq!(of("RebootAction", &[("Target", "HD")]), []);
    let set = |mark| {
        of(
            "SetVariableAction",
            &[("VariableName", "V"), ("VariableValue", "PLANTED"), ("DoNotShowVariableValue", mark)],
        )
    };
    assert_eq!(set("false"), []);
    assert_eq!(set("true"), one("V"));
    assert_eq!(of("SetDynamicVariablesAction", &[("Rules", &rules("false"))]), []);
    assert_eq!(of("SetDynamicVariablesAction", &[("Rules", &rules("true"))]), one("V"));
    for name in ["UserPassword", "AdminPassword", "DomainPassword", "CapturePassword"] {
        assert_eq!(of("ApplyWindowsSettingsAction", &[(name, "PLANTED")]), one(name));
        assert_eq!(of("ApplyWindowsSettingsAction", &[(name, "%PW%")]), [], "a reference is no secret");
    }
    let global = "<globalVarList><variable name=\"V\" hidden=\"true\">PLANTED</variable></globalVarList>";
    assert_eq!(import(&wrap(global)).sequence.secrets().len(), 1);
    assert!(!format!("{:?}", import(&wrap(global)).sequence.secrets()).contains("PLANTED"));
}

/// A small generator of numbers, the same in every run.
fn numbers(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

#[test]
fn damaged_files_are_taken_within_the_limits_or_refused() {
    let sample = include_bytes!("../data/stand-alone.xml");
    let mut number = numbers(1);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..600 {
        let mut bytes = sample.to_vec();
        match number(3) {
            0 => bytes.truncate(number(sample.len())),
            1 => bytes[number(sample.len())] = b"\0<>\"&x\xff0"[number(8)],
            _ => {
                let (from, length) = (number(sample.len()), number(200));
                let end = (from + length).min(sample.len());
                bytes.drain(from..end);
            }
        }
        match Imported::from_bytes(&bytes) {
            Ok(imported) => {
                taken += 1;
                assert_eq!(imported.sequence.problems(), []);
                assert_eq!(TaskSequence::from_json(&imported.sequence.to_json()).unwrap(), imported.sequence);
            }
            Err(_) => refused += 1,
        }
    }
    assert!(taken > 20 && refused > 100, "{taken} {refused}");
}
