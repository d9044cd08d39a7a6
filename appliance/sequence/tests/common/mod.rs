// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Any sequence that the model holds, for properties.

use platen_sequence::{
    Comparison, Condition, Expression, Group, ListedContent, Node, RunIn, SequenceVersion, Step, StepKind,
    TaskSequence, Variable, VariableOperator,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Texts as people write them: paths, quotes, other scripts, ends of lines. None of only white space: XML has none.
fn text() -> impl Strategy<Value = String> {
    let pieces = select(vec![
        "a",
        "Z",
        "9",
        "'",
        "\"",
        "\\",
        "%x%",
        "<",
        "&",
        "]]>",
        "#",
        "=",
        "이",
        "é",
        "\u{1f4be}",
        " ",
        "\t",
    ]);
    vec(pieces, 0..8)
        .prop_map(|parts| parts.concat())
        .prop_map(|text| if text.trim().is_empty() { String::new() } else { text })
}

fn lines() -> impl Strategy<Value = String> {
    let line = (text(), select(vec!["\n", "\r\n", ""]));
    vec(line, 0..9).prop_map(|lines| {
        let text: String = lines.into_iter().map(|(text, end)| text + end).collect();
        if text.trim().is_empty() { String::new() } else { text }
    })
}

fn filled() -> impl Strategy<Value = String> {
    text().prop_map(|text| if text.is_empty() { "x".to_owned() } else { text })
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z가-힣'\"\\\\<&#\\[\\]]{1,3}[ -~가-힣]{0,40}[!-~]"
}

fn variable_name() -> impl Strategy<Value = String> {
    "[A-Za-z][A-Za-z0-9_-]{0,9}"
}

fn variables() -> impl Strategy<Value = Vec<Variable>> {
    let own = (variable_name(), option::of("_?[A-Za-z][A-Za-z0-9]{0,5}"), any::<bool>(), lines());
    vec(own, 0..4).prop_map(|list| {
        let mut found: Vec<Variable> = Vec::new();
        for (name, property, hidden, value) in list {
            if !found.iter().any(|other| other.name.eq_ignore_ascii_case(&name)) {
                found.push(Variable { name, property, hidden, value });
            }
        }
        found
    })
}

fn comparison() -> impl Strategy<Value = Option<Comparison>> {
    option::of((text(), filled()).prop_map(|(operator, value)| Comparison { operator, value }))
}

fn expression() -> impl Strategy<Value = Expression> {
    let operators: Vec<_> = VariableOperator::ALL.iter().map(|(_, operator)| *operator).collect();
    prop_oneof![
        ("_?[A-Za-z][A-Za-z0-9_-]{0,9}", select(operators), text())
            .prop_map(|(variable, operator, value)| Expression::Variable { variable, operator, value }),
        (text(), filled()).prop_map(|(namespace, query)| Expression::Wmi { namespace, query }),
        (filled(), comparison(), comparison()).prop_map(|(path, version, date_time)| Expression::File {
            path,
            version,
            date_time
        }),
        (filled(), comparison()).prop_map(|(path, date_time)| Expression::Folder { path, date_time }),
        (filled(), text(), text(), filled(), text()).prop_map(|(key_path, value, value_type, operator, data)| {
            Expression::Registry { key_path, value, value_type, operator, data }
        }),
        (text(), filled(), text(), text(), text()).prop_map(
            |(operator, product_code, upgrade_code, product_name, version)| Expression::Software {
                operator,
                product_code,
                upgrade_code,
                product_name,
                version
            }
        ),
        (text(), text(), text()).prop_map(|(architecture, version, operator)| Expression::OperatingSystem {
            architecture,
            version,
            operator
        }),
        (text(), text()).prop_map(|(make, model)| Expression::MakeModel { make, model }),
        (name(), option::of(filled())).prop_map(|(type_name, value)| Expression::Other {
            type_name,
            fields: value.into_iter().map(|value| ("Field".to_owned(), value)).collect()
        }),
    ]
}

/// Any condition.
pub(crate) fn condition() -> impl Strategy<Value = Condition> {
    expression().prop_map(Condition::If).prop_recursive(4, 12, 3, |inner| {
        let parts = vec(inner, 1..4).boxed();
        prop_oneof![
            parts.clone().prop_map(Condition::All),
            parts.clone().prop_map(Condition::Any),
            parts.prop_map(Condition::None),
        ]
    })
}

fn step() -> impl Strategy<Value = Node> {
    let kinds: Vec<_> = StepKind::ALL.iter().copied().chain([StepKind::Script, StepKind::Unknown]).collect();
    let kind = (select(kinds), "SMS_[A-Za-z]{1,9}Strange");
    let run_in = select(vec![RunIn::WinPE, RunIn::FullOS, RunIn::Both]);
    let codes = vec(prop_oneof![Just(0), Just(3010), i64::from(i32::MIN)..=i64::from(u32::MAX)], 0..4);
    let texts = (name(), text(), text(), lines());
    let numbers = (0u32..=99, option::of(1u32..=604_800), codes);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (kind, texts, run_in, numbers, flags, variables(), option::of(condition())).prop_map(
        |((kind, class), (name, description, start_in, action), run_in, numbers, flags, mut variables, condition)| {
            let (retry_count, timeout_s, success_codes) = numbers;
            let (disabled, continue_on_error, run_from_net) = flags;
            // What Set Task Sequence Variable sets must be a name; texts here are any.
            variables.retain(|it| !it.name.eq_ignore_ascii_case("VariableName"));
            let type_name = if kind == StepKind::Unknown { class } else { String::new() };
            Node::Step(Step {
                kind,
                type_name,
                name,
                description,
                disabled,
                continue_on_error,
                run_in,
                success_codes,
                start_in,
                retry_count,
                timeout_s,
                run_from_net,
                action,
                variables,
                condition: condition.map(Box::new),
            })
        },
    )
}

fn node() -> impl Strategy<Value = Node> {
    step().prop_recursive(4, 16, 4, |inner| {
        (name(), text(), any::<(bool, bool)>(), option::of(condition()), vec(inner, 0..4)).prop_map(
            |(name, description, (disabled, continue_on_error), condition, nodes)| {
                Node::Group(Group { name, description, disabled, continue_on_error, condition, nodes })
            },
        )
    })
}

/// Any sequence within the limits.
pub(crate) fn any_sequence() -> impl Strategy<Value = TaskSequence> {
    let version = select(vec![SequenceVersion::V3_00, SequenceVersion::V3_10]);
    let contents = vec((filled(), text()).prop_map(|(package, program)| ListedContent { package, program }), 0..3);
    (version, option::of(name()), text(), contents, variables(), vec(node(), 0..5)).prop_map(
        |(version, name, description, listed_contents, global_variables, nodes)| TaskSequence {
            version,
            name: name.unwrap_or_default(),
            description,
            listed_contents,
            global_variables: global_variables.into_iter().map(|it| Variable { hidden: false, ..it }).collect(),
            nodes,
        },
    )
}
