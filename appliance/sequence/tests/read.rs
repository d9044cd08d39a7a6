// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Reading sequences: what is accepted, what is refused and in which words.

#![allow(clippy::unwrap_used)]

use platen_sequence::{
    Condition, Expression, Node, ReferenceKind, RunIn, SequenceError, StepKind, TaskSequence, VariableOperator,
};

const SAMPLE: &str = include_str!("../data/stand-alone.xml");

fn problems(xml: &str) -> Vec<String> {
    match TaskSequence::from_xml(xml) {
        Err(SequenceError::Problems { problems }) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("expected problems, found {other:?}"),
    }
}

#[test]
fn the_sample_is_read_whole() {
    let sequence = TaskSequence::from_xml(SAMPLE).unwrap();
    assert_eq!(sequence.name, "Refresh from stand-alone media");
    assert_eq!(sequence.global_variables.len(), 1);
    let steps = sequence.steps();
    assert_eq!(steps.len(), 11);
    let apply = &steps[5];
    assert_eq!(apply.path, "Install Operating System / Apply Operating System");
    assert_eq!(apply.step.kind, StepKind::ApplyOperatingSystemImage);
    assert_eq!((apply.step.run_in, &*apply.step.success_codes), (RunIn::WinPE, &[0, 3010][..]));
    assert_eq!(apply.step.property("ImageIndex"), Some("1"));
    assert_eq!(steps[4].step.timeout_s, Some(30));
    let in_old_windows = Condition::If(Expression::Variable {
        variable: "_SMSTSInWinPE".into(),
        operator: VariableOperator::Equals,
        value: "false".into(),
    });
    assert_eq!(steps[0].conditions, [&in_old_windows]);
    assert_eq!(steps[4].conditions, [&Condition::All(vec![in_old_windows.clone()])]);
}

#[test]
fn json_round_trip_is_exact_and_checked() {
    let sequence = TaskSequence::from_xml(SAMPLE).unwrap();
    let json = sequence.to_json();
    assert_eq!(TaskSequence::from_json(&json).unwrap(), sequence);
    let mut unknown = json.clone();
    unknown["nodes"][0]["group"]["nmae"] = "x".into();
    assert!(matches!(TaskSequence::from_json(&unknown), Err(SequenceError::Json(_))));
    let mut long = json.clone();
    long["nodes"][0]["group"]["name"] = "x".repeat(51).into();
    let Err(SequenceError::Problems { problems }) = TaskSequence::from_json(&long) else { panic!("too long") };
    assert_eq!(problems.len(), 1);
    assert!(problems[0].to_string().ends_with("name: expected at most 50 characters, found 51"), "{}", problems[0]);
}

#[test]
fn references_in_order_without_what_is_disabled_or_computed() {
    let found: Vec<_> = TaskSequence::from_xml(SAMPLE)
        .unwrap()
        .references()
        .into_iter()
        .map(|reference| (reference.kind, reference.id))
        .collect();
    let expected = [
        (ReferenceKind::Package, "PLTUSMT"),
        (ReferenceKind::OperatingSystemImage, "PLTOS001"),
        (ReferenceKind::DriverPackage, "PLTDRV01"),
        (ReferenceKind::Package, "PLTUSMT"),
    ];
    assert_eq!(found, expected.map(|(kind, id)| (kind, id.to_owned())));
}

#[test]
fn the_outline_counts_as_the_progress_window_does() {
    let xml = r#"<sequence version="3.00" name="Count">
      <step type="SMS_TaskSequence_PartitionDiskAction" name="Disk"/>
      <group name="Old" disable="true"><step type="SMS_TaskSequence_RebootAction" name="Never"/></group>
      <group name="New" continueOnError="true">
        <step type="SMS_TaskSequence_RebootAction" name="Off" disable="true"/>
        <step type="SMS_TaskSequence_RunCommandLineAction" name="Last"><condition>
          <operator type="not"><expression type="SMS_TaskSequence_WMIConditionExpression"><variable name="Query">SELECT 1</variable></expression></operator>
        </condition></step>
      </group>
    </sequence>"#;
    let expected = "\
Count: 2 steps
  1/2 Disk (Format and Partition Disk)
  Old [disabled]
    - Never (Restart Computer)
  New [continue on error]
    - Off (Restart Computer) [disabled]
    2/2 Last (Run Command Line) [if none of (WMI \"SELECT 1\")]
";
    assert_eq!(TaskSequence::from_xml(xml).unwrap().outline(), expected);
}

#[test]
fn each_mistake_is_named_with_its_line_and_column() {
    let wrap = |inside: &str| format!("<sequence version=\"3.10\">\n{inside}\n</sequence>");
    let step = |attributes: &str, inside: &str| {
        wrap(&format!("<step type=\"SMS_TaskSequence_RebootAction\" name=\"S\"{attributes}>{inside}</step>"))
    };
    let condition = |inside: &str| step("", &format!("\n<condition>{inside}</condition>"));
    let expression = |kind: &str, inside: &str| {
        condition(&format!("<expression type=\"SMS_TaskSequence_{kind}ConditionExpression\">{inside}</expression>"))
    };
    let variable = |inside: &str| step("", &format!("\n<defaultVarList>{inside}</defaultVarList>"));
    let table: Vec<(String, &str)> = vec![
        ("<sequenze/>".into(), "1:1: root element: expected <sequence version=\"3.00\"> or \"3.10\", found <sequenze>"),
        ("<sequence/>".into(), "1:1: attribute version of <sequence>: expected 3.00 or 3.10, found none"),
        (
            "<sequence version=\"2.00\"/>".into(),
            "1:11: attribute version of <sequence>: expected 3.00 or 3.10, found \"2.00\"",
        ),
        (
            wrap("<setp/>"),
            "2:1: <sequence>: expected <referenceList>, <globalVarList>, <group> or <step>, found <setp>",
        ),
        (wrap("text"), "1:26: <sequence>: expected only elements, found text"),
        (wrap("<group name=\"G\" disabled=\"true\"/>"), "2:17: attribute disabled of <group>: expected one of name,"),
        (wrap("<group/>"), "2:1: name of <group>: expected 1 to 50 characters, found none"),
        (
            wrap("<group name=\"G\"><action>x</action></group>"),
            "2:17: <group>: expected <condition>, <group> or <step>, found <action>",
        ),
        (
            wrap(&format!("<group name=\"{}\"/>", "n".repeat(51))),
            "2:1: name of <group>: expected at most 50 characters, found 51",
        ),
        (
            wrap(&format!("<group name=\"G\" description=\"{}\"/>", "n".repeat(257))),
            "2:1: description of <group> \"G\": expected at most 256 characters, found 257",
        ),
        (
            wrap("<step type=\"BDD_Moon\" name=\"S\"/>"),
            "2:7: attribute type of <step>: expected a step type of Configuration Manager",
        ),
        (step(" disable=\"yes\"", ""), "2:53: attribute disable of <step>: expected true or false, found \"yes\""),
        (
            step(" runIn=\"winpe\"", ""),
            "2:53: attribute runIn of <step>: expected WinPE, FullOS or WinPEandFullOS, found \"winpe\"",
        ),
        (
            step(" successCodeList=\"0,3010\"", ""),
            "2:53: attribute successCodeList of <step>: expected exit codes with spaces between",
        ),
        (step(" retryCount=\"-1\"", ""), "2:53: attribute retryCount of <step>: expected a whole number, found \"-1\""),
        (step(" retryCount=\"100\"", ""), "2:53: attribute retryCount of <step>: expected 0 to 99, found 100"),
        (step(" timeout=\"604801\"", ""), "2:53: attribute timeout of <step>: expected 0 to 604800, found 604801"),
        (step("", "\n<action>a</action><action>b</action>"), "3:19: <action>: expected one, found a second one"),
        (step("", "\n<action><b/></action>"), "3:9: <action>: expected text, found <b>"),
        (step("", "\n<actoin/>"), "3:1: <step>: expected <action>, <defaultVarList> or <condition>, found <actoin>"),
        (variable("<var/>"), "3:17: <defaultVarList>: expected <variable>, found <var>"),
        (variable("<variable name=\"1\">x</variable>"), "3:17: <variable> \"1\": expected a variable name"),
        (
            variable("<variable name=\"_SMSTSInWinPE\">x</variable>"),
            "3:17: <variable> \"_SMSTSInWinPE\": expected a name without a leading '_'",
        ),
        (
            variable("<variable name=\"a\">1</variable><variable name=\"A\">2</variable>"),
            "3:48: <variable> \"A\": expected each name once",
        ),
        (
            variable(&format!("<variable name=\"a\">{}</variable>", "v".repeat(4001))),
            "3:17: <variable> \"a\": expected at most 4000 characters, found 4001",
        ),
        (
            variable(&format!("<variable name=\"a\" property=\"a\">{}</variable>", "v".repeat((1 << 20) + 1))),
            "3:17: <variable> \"a\": expected at most 1048576 characters, found 1048577",
        ),
        (
            step(" successCodeList=\"0\" successCodes=\"1\"", ""),
            "attribute successCodes of <step>: expected the same as successCodeList, found another list",
        ),
        (
            wrap("<referenceList><reference/></referenceList>"),
            "attribute package of <reference>: expected an id, found none",
        ),
        (condition(""), "3:1: <condition>: expected <operator> or <expression>, found nothing"),
        (
            condition(
                "<operator type=\"xor\"><expression type=\"SMS_TaskSequence_WMIConditionExpression\"><variable name=\"Query\">q</variable></expression></operator>",
            ),
            "3:22: attribute type of <operator>: expected and, or or not, found \"xor\"",
        ),
        (
            condition("<osConditionGrope/>"),
            "3:12: <condition>: expected <operator> or <expression>, found <osConditionGrope>",
        ),
        (
            expression("Moon", ""),
            "3:24: attribute type of <expression>: expected SMS_TaskSequence_<X>ConditionExpression",
        ),
        (
            expression("Variable", "<variable name=\"Variable\">x</variable><variable name=\"Operator\">is</variable>"),
            "3:12: Operator of <expression>: expected one of exists, notExists",
        ),
        (expression("WMI", ""), "3:12: Query of <expression>: expected a value, found none"),
        (
            expression("WMI", "<variable name=\"Query\">q</variable><variable name=\"Colour\">c</variable>"),
            "<expression>: expected the fields of its type, found \"Colour\"",
        ),
        (
            expression("Folder", "<variable name=\"Path\">a</variable><variable name=\"Path\">b</variable>"),
            "Path of <expression>: expected one, found a second one",
        ),
    ];
    for (xml, expected) in table {
        let found = problems(&xml);
        assert_eq!(found.len(), 1, "{xml}\n{found:#?}");
        assert!(found[0].contains(expected), "{xml}\nexpected {expected}\nfound    {}", found[0]);
    }
}

#[test]
fn a_mistake_says_in_which_group_and_step_it_is() {
    let xml = "<sequence version=\"3.10\"><group name=\"G\"><step type=\"SMS_TaskSequence_RebootAction\" name=\"S\" \
               retryCount=\"x\"/></group></sequence>";
    assert!(problems(xml)[0].ends_with("found \"x\" (in G / S)"), "{:?}", problems(xml));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let xml = "<sequence version=\"1\"><group/><step type=\"x\" name=\"S\" retryCount=\"x\"/><oops/></sequence>";
    assert_eq!(problems(xml).len(), 5);
}

#[test]
fn a_built_in_variable_cannot_be_set_by_a_step_either() {
    let xml = "<sequence version=\"3.10\"><step type=\"SMS_TaskSequence_SetVariableAction\" name=\"S\"><defaultVarList>\
               <variable name=\"VariableName\" property=\"VariableName\">_SMSTSInWinPE</variable></defaultVarList></step></sequence>";
    let found = problems(xml);
    assert!(found[0].contains("without a leading '_'"), "{found:?}");
}

#[test]
fn no_value_of_a_variable_is_ever_in_a_message() {
    let value = format!("PLANTED-{}", "x".repeat(4000));
    let xml = format!(
        "<sequence version=\"3.10\"><globalVarList><variable name=\"a\">{value}</variable></globalVarList></sequence>"
    );
    assert!(!problems(&xml).concat().contains("PLANTED"));
    let hidden = "<sequence version=\"3.10\"><globalVarList><variable name=\"a\" hidden=\"true\">PLANTED</variable></globalVarList></sequence>";
    let shown = format!("{:?}", TaskSequence::from_xml(hidden).unwrap());
    assert!(!shown.contains("PLANTED") && shown.contains("********"));
}

#[test]
fn hostile_xml_is_refused_in_bounded_time() {
    let deep = |count: usize| {
        let (open, close) = ("<group name=\"g\">".repeat(count), "</group>".repeat(count));
        format!("<sequence version=\"3.10\">{open}{close}</sequence>")
    };
    assert!(TaskSequence::from_xml(&deep(32)).is_ok());
    assert!(problems(&deep(33))[0].contains("expected at most 32 levels of groups, found 33"));
    let error = TaskSequence::from_xml(&deep(200_000)).expect_err("no end");
    assert!(matches!(error, SequenceError::Xml(_) | SequenceError::Problems { .. }), "{error}");
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\">]><sequence version=\"3.10\">&a;</sequence>";
    assert!(matches!(TaskSequence::from_xml(bomb), Err(SequenceError::Xml(_))));
    assert!(matches!(TaskSequence::from_xml("<sequence"), Err(SequenceError::Xml(_))));
    let large = " ".repeat((16 << 20) + 1);
    assert!(matches!(TaskSequence::from_xml(&large), Err(SequenceError::TooLarge { .. })));
}

#[test]
fn the_environment_has_a_ceiling() {
    // 16 MiB of XML can't hold 32 MB of values; JSON can.
    let mut sequence = TaskSequence::from_xml("<sequence version=\"3.10\"/>").unwrap();
    sequence.global_variables = (0..8400)
        .map(|n| platen_sequence::Variable {
            name: format!("V{n}"),
            property: None,
            hidden: false,
            value: "v".repeat(4000),
        })
        .collect();
    let problems = sequence.problems();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].to_string().contains("at most 33554432 bytes"), "{}", problems[0]);
}

#[test]
fn real_exports_with_their_extra_attributes_are_read() {
    let xml = "\u{feff}<sequence version=\"3.10\"><group name=\"G\" expand=\"true\"><action />\
        <step type=\"SMS_TaskSequence_RunCommandLineAction\" name=\"Run\" description=\"\" runIn=\"WinPEandFullOS\" \
        successCodeList=\"0 3010\" retryCount=\"0\" timeout=\"\" runFromNet=\"false\"><action>smsswd.exe /run:PKG1 x.cmd</action>\
        <defaultVarList><variable name=\"CommandLine\" property=\"CommandLine\" hidden=\"true\">x.cmd</variable>\
        <variable name=\"_SMSTSRunCommandLineAsUser\" property=\"RunAsUser\">false</variable>\
        <variable name=\"SuccessCodes\" property=\"SuccessCodes\" hidden=\"true\">0 3010</variable>\
        <variable name=\"SMSTSRunCommandLineOutputVariableName\" property=\"OutputVariableName\">\n      </variable>\
        </defaultVarList></step></group></sequence>";
    let sequence = TaskSequence::from_xml(xml).unwrap();
    let Node::Group(group) = &sequence.nodes[0] else { panic!("a group") };
    let Node::Step(step) = &group.nodes[0] else { panic!("a step") };
    assert_eq!(step.variables[3].value, "");
    assert_eq!(sequence.secrets(), [], "exports hide nearly all properties");
}
