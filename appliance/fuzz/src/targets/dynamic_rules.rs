// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The rules of Set Dynamic Variables.

use platen_sequence::TaskSequence;
use platen_sequence::run::{Computer, DryRun};

use crate::Answer;

const STEP: &str = "schema = 1\n[[do]]\nstep = \"S\"\ntype = \"Set Dynamic Variables\"\n\
                    variables = [{ property = \"Rules\", value-file = \"rules.xml\" }]\n";

pub(super) fn samples() -> Vec<Vec<u8>> {
    let rules = "<Rules><Rule><condition><expression type=\"SMS_TaskSequence_MakeModelConditionExpression\"><variable name=\"Make\">*\
                 </variable><variable name=\"Model\">Virtual*</variable></expression></condition><Variables>\
                 <Variable Name=\"IsVM\" IsSecret=\"false\">%Make%</Variable></Variables></Rule><Rule><Variables>\
                 <Variable Name=\"Local\" IsSecret=\"true\">insecure-word</Variable></Variables></Rule></Rules>";
    vec![rules.as_bytes().to_vec()]
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let Ok(text) = std::str::from_utf8(bytes) else { return Answer::Refused };
    let Ok(sequence) = TaskSequence::from_toml(STEP, &mut |_| Ok(text.to_owned())) else { return Answer::Refused };
    let steps = sequence.steps();
    let Some(rules) = steps[0].step.dynamic_rules() else { return Answer::Refused };
    let secrets: Vec<&str> = rules
        .iter()
        .flat_map(|rule| &rule.variables)
        .filter(|variable| variable.secret && variable.value.len() >= 12)
        .map(|variable| &*variable.value)
        .collect();
    let in_clear = |secret: &&str| {
        rules
            .iter()
            .flat_map(|rule| &rule.variables)
            .any(|it| !it.secret && (it.value.contains(*secret) || it.name.contains(*secret)))
    };
    if let Ok(dry) = DryRun::of(&sequence, &Computer::default(), &[]) {
        let shown = dry.report();
        for secret in secrets.iter().filter(|secret| !in_clear(secret)) {
            assert!(!shown.contains(*secret), "a secret is shown");
        }
    }
    Answer::Accepted
}
