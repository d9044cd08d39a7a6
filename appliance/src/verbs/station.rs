// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `platen station`: everything a running station offers, over its socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use platen_events::answer::DriveReport;
use platen_events::{
    Answer, Code, DriveId, Event, JobKind, Line, Record, Replay, StationState, SystemState, UpdateState, Verdict, Work,
};
use platen_station::config::Role;
use platen_station::{Exit, Failure};
use serde_json::{Value, json};

use crate::args::{StationOptions, StationVerb, WorkArg};
use crate::output::{Output, human_bytes, table};

/// The environment variable with the PIN of the role, so that it stands in no list of processes.
const PIN: &str = "PLATEN_PIN";

pub fn run(options: StationOptions, output: &Arc<Output>) -> Result<ExitCode, Failure> {
    let mut client = Client::connect(&options.socket)?;
    if let Some(role) = options.role {
        client.login(role)?;
    }
    match options.verb {
        StationVerb::Status => {
            let state = client.state()?;
            output.text(|| status(&state));
        }
        StationVerb::Watch => return client.watch(),
        StationVerb::Arm { work, medium, wanted, ports } => {
            let work = work_of(work, medium);
            let mut request = json!({ "request": "arm", "ports": ports, "work": work });
            if let Some(wanted) = wanted {
                request["wanted"] = wanted.into();
            }
            let done = client.ask(request)?;
            output.text(|| format!("armed for batch {}", done["batch"]));
        }
        StationVerb::Start { work, medium, port } => {
            client.start(&port, &work_of(work, medium))?;
        }
        StationVerb::Duplicate { from, wanted, ports } => {
            let report = client.read_drive(&from, JobKind::ReadMaster)?;
            let named = report.medium.map(|medium| format!("{}-r{}", medium.id, medium.revision));
            let medium = named.or(report.image).unwrap_or_default();
            output.text(|| format!("port {from} is {medium}"));
            // The others: the drive that is copied stays where it is.
            let state = client.state()?;
            let others = state.ports().keys().filter(|port| **port != from).cloned();
            let ports = if ports.is_empty() { others.collect() } else { ports };
            let work = Work { kind: JobKind::Write, medium: Some(medium) };
            let mut request = json!({ "request": "arm", "ports": ports, "work": work });
            if let Some(wanted) = wanted {
                request["wanted"] = wanted.into();
            }
            let done = client.ask(request)?;
            output.text(|| format!("armed for batch {}", done["batch"]));
        }
        StationVerb::Disarm { ports } => drop(client.ask(json!({ "request": "disarm", "ports": ports }))?),
        StationVerb::Cancel { ports } => drop(client.ask(json!({ "request": "cancel", "ports": ports }))?),
        StationVerb::Pause { ports } => drop(client.ask(json!({ "request": "pause", "ports": ports }))?),
        StationVerb::Resume { ports } => drop(client.ask(json!({ "request": "resume", "ports": ports }))?),
        StationVerb::Import { from: Some(port), .. } => {
            let report = client.read_drive(&port, JobKind::Import)?;
            output
                .text(|| report.imported.iter().map(|name| format!("imported {name}")).collect::<Vec<_>>().join("\n"));
            if !report.notes.is_empty() {
                output.text(|| report.notes.join("\n"));
                return Ok(Exit::Policy.into());
            }
        }
        StationVerb::Import { layout, from: None } => {
            let layout = layout.unwrap_or_default();
            let folder = std::path::absolute(&layout).map_err(|error| Failure::new(Exit::Request, error))?;
            let done = client.errand(json!({ "errand": "import", "folder": folder }))?;
            output.text(|| lines(&done["imported"], "imported"));
            if done["refused"].as_array().is_some_and(|refused| !refused.is_empty()) {
                output.text(|| lines(&done["refused"], "refused"));
                return Ok(Exit::Policy.into());
            }
        }
        StationVerb::Media => {
            let media = client.errand(json!({ "errand": "media" }))?;
            let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
            let row = |line: &Value| {
                let size = human_bytes(line["content_bytes"].as_u64().unwrap_or_default());
                let until = match line["dates"].as_str() {
                    Some("expired") => "expired".to_owned(),
                    _ => text(line, "valid_until").chars().take_while(|c| *c != 'T').collect(),
                };
                let [medium, version, title, signed_by, problem] =
                    ["medium", "version", "title", "signed_by", "problem"].map(|field| text(line, field));
                vec![medium, version, size, title, signed_by, until, problem]
            };
            let rows: Vec<Vec<String>> = media.as_array().into_iter().flatten().map(row).collect();
            output
                .text(|| table(&["MEDIUM", "VERSION", "SIZE", "TITLE", "SIGNED BY", "VALID UNTIL", "PROBLEM"], &rows));
        }
        StationVerb::History { serial, limit } => {
            let rows = client.errand(json!({ "errand": "history", "serial": serial, "limit": limit }))?;
            let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
            let fields = ["finished", "port", "serial", "job", "medium", "verdict", "code"];
            let row = |line: &Value| fields.map(|field| text(line, field)).to_vec();
            let rows: Vec<Vec<String>> = rows.as_array().into_iter().flatten().map(row).collect();
            output.text(|| table(&["FINISHED", "PORT", "SERIAL", "JOB", "MEDIUM", "VERDICT", "CODE"], &rows));
        }
        StationVerb::Scrub => {
            let done = client.errand(json!({ "errand": "scrub" }))?;
            let checked = human_bytes(done["checked_bytes"].as_u64().unwrap_or_default());
            match done["damage"].as_array().map_or(0, Vec::len) {
                0 => output.text(|| format!("{checked} checked, all digests right")),
                count => {
                    output.text(|| format!("{checked} checked, {count} damaged; import the media again"));
                    return Ok(Exit::Machine.into());
                }
            }
        }
        StationVerb::SetPin { role } => {
            let pin = std::env::var(PIN).map_err(|_| {
                Failure::new(Exit::Request, format!("expected the new PIN in the environment variable {PIN}"))
            })?;
            client.ask(json!({ "request": "set-pin", "role": role, "pin": pin }))?;
        }
        StationVerb::PinRequest => {
            let request = client.ask(json!({ "request": "pin-challenge" }))?;
            output.text(|| request["text"].as_str().unwrap_or_default().trim_end().to_owned());
        }
        StationVerb::ResetPin { file } => {
            let signature = file.with_added_extension("minisig");
            let (text, signature) = (read(&file)?, read(&signature)?);
            let done = client.ask(json!({ "request": "reset-pin", "text": text, "signature": signature }))?;
            let key = done["signed_by"].as_str().unwrap_or_default().to_owned();
            output.text(|| format!("the administrator has no PIN any more (signed by {key}); set one now"));
        }
        StationVerb::Learn { labels } => client.learn(&labels, output)?,
        StationVerb::Diagnostics { folder } => {
            let folder = std::path::absolute(&folder).map_err(|error| Failure::new(Exit::Request, error))?;
            let done = client.errand(json!({ "errand": "diagnostics", "folder": folder }))?;
            output.text(|| done["folder"].as_str().unwrap_or_default().to_owned());
        }
        StationVerb::ShutDown => drop(client.errand(json!({ "errand": "shut-down" }))?),
        StationVerb::InstallUpdate { version, older } => {
            client.errand(json!({ "errand": "install-update", "version": version, "older": older }))?;
            output.text(|| "`platen station status` says how far it is".to_owned());
        }
        StationVerb::Restart => drop(client.errand(json!({ "errand": "restart" }))?),
        StationVerb::MakeDataAnew => drop(client.errand(json!({ "errand": "make-data-anew" }))?),
    }
    Ok(ExitCode::SUCCESS)
}

/// A short text.
fn read(path: &Path) -> Result<String, Failure> {
    const MOST_BYTES: u64 = 16 << 10;
    let file = std::fs::File::open(path).and_then(|file| {
        let mut text = String::new();
        file.take(MOST_BYTES).read_to_string(&mut text).map(|_| text)
    });
    file.map_err(|error| Failure::new(Exit::Request, format!("reading {}: {error}", path.display())))
}

fn work_of(work: WorkArg, medium: Option<String>) -> Work {
    Work { kind: work.into(), medium }
}

fn lines(list: &Value, what: &str) -> String {
    let names = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    names.map(|name| format!("{name} {what}")).collect::<Vec<_>>().join("\n")
}

/// One connection.
struct Client {
    lines: BufReader<UnixStream>,
    last_id: u64,
}

impl Client {
    fn connect(socket: &Path) -> Result<Self, Failure> {
        let stream = UnixStream::connect(socket).map_err(|error| {
            let text = format!("connecting to the station at {}: {error}; is platend running?", socket.display());
            Failure::new(Exit::Machine, text)
        })?;
        Ok(Self { lines: BufReader::new(stream), last_id: 0 })
    }

    fn send(&mut self, mut request: Value) -> Result<u64, Failure> {
        self.last_id += 1;
        request["id"] = self.last_id.into();
        let line = format!("{request}\n");
        self.lines.get_mut().write_all(line.as_bytes()).map_err(lost)?;
        Ok(self.last_id)
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) => Err(Failure::new(Exit::Machine, "the station ended the connection")),
            Ok(_) => Ok(line),
            Err(error) => Err(lost(error)),
        }
    }

    /// Send a request and wait for its answer; what is said in between is handed on.
    fn exchange(&mut self, request: Value, mut between: impl FnMut(&str)) -> Result<Value, Failure> {
        let id = self.send(request)?;
        loop {
            let line = self.line()?;
            let value: Value = serde_json::from_str(&line).map_err(|error| Failure::new(Exit::Machine, error))?;
            if value["id"].as_u64() != Some(id) {
                between(&line);
                continue;
            }
            if let Some(error) = value.get("error") {
                return Err(refused(error));
            }
            return Ok(value["ok"].clone());
        }
    }

    fn ask(&mut self, request: Value) -> Result<Value, Failure> {
        self.exchange(request, |_| {})
    }

    fn errand(&mut self, mut errand: Value) -> Result<Value, Failure> {
        errand["request"] = "errand".into();
        if let Some(fields) = errand.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        self.ask(errand)
    }

    fn login(&mut self, role: Role) -> Result<(), Failure> {
        let mut request = json!({ "request": "login", "role": role });
        if let Ok(pin) = std::env::var(PIN) {
            request["pin"] = pin.into();
        }
        self.ask(request).map(drop)
    }

    /// What everybody who reads the station's record knows now.
    fn state(&mut self) -> Result<StationState, Failure> {
        self.ask(json!({ "request": "subscribe" }))?;
        let (mut replay, mut broken) = (Replay::default(), None);
        // The answer to this comes after the state.
        self.exchange(json!({ "request": "errand", "errand": "media" }), |line| {
            let read = serde_json::from_str::<Line>(line).map_err(|error| error.to_string());
            if let Err(error) = read.and_then(|line| replay.take(&line).map_err(|error| error.to_string())) {
                broken.get_or_insert(error);
            }
        })?;
        match broken {
            Some(error) => Err(Failure::new(Exit::Machine, format!("what the station said can't be read: {error}"))),
            None => Ok(replay.state().clone()),
        }
    }

    /// Do this with the drive that is in a port now: the drive that was seen is meant, not whatever is there by then.
    fn start(&mut self, port: &str, work: &Work) -> Result<DriveId, Failure> {
        let state = self.state()?;
        let drive = state.drives().iter().find(|(_, drive)| drive.label.port == port && !drive.is_gone);
        let (drive, _) = drive.ok_or_else(|| Failure::new(Exit::Request, format!("port {port}: no drive is in it")))?;
        self.ask(json!({ "request": "start", "port": port, "drive": drive, "work": work }))?;
        Ok(drive.clone())
    }

    /// Read the drive in a port, and wait for what was found on it.
    fn read_drive(&mut self, port: &str, kind: JobKind) -> Result<DriveReport, Failure> {
        let drive = self.start(port, &Work { kind, medium: None })?;
        let (mut job, mut found) = (None, None);
        let failed = |code: Option<Code>, text: &str| {
            let failure = Failure::new(Exit::Drive, format!("port {port}: {text}"));
            Err(match code {
                Some(code) => failure.coded(code),
                None => failure,
            })
        };
        loop {
            match self.record()?.event {
                Event::DriveRefused { drive: on, code, text } if on == drive => {
                    return failed(code.and_then(|code| code.known()), &text);
                }
                Event::JobStarted { job: its, drive: on, .. } if on == drive => job = Some(its),
                Event::Answer(answer) => {
                    if let Answer::DriveExamined { drive: on, report, .. } = *answer
                        && on == drive
                    {
                        found = Some(report);
                    }
                }
                Event::JobEnded { job: its, end } if Some(its) == job => {
                    return match (found, end.verdict.is_success()) {
                        (Some(report), true) => Ok(*report),
                        _ => failed(end.verdict.code(), end.detail()),
                    };
                }
                _ => {}
            }
        }
    }

    /// What happens next.
    fn record(&mut self) -> Result<Record, Failure> {
        loop {
            let line = self.line()?;
            let line = serde_json::from_str::<Line>(&line).map_err(|error| Failure::new(Exit::Machine, error))?;
            if let Line::Record(record) = line {
                return Ok(record);
            }
        }
    }

    /// One port after the other: say which, and wait until a drive was inserted there.
    fn learn(&mut self, labels: &[String], output: &Output) -> Result<(), Failure> {
        // Said before anybody has walked to the ports.
        for (at, label) in labels.iter().enumerate() {
            if labels[..at].iter().any(|other| other.to_lowercase() == label.to_lowercase()) {
                let text = format!("label {label}: expected each once (case does not count), found it again");
                return Err(Failure::new(Exit::Request, text));
            }
        }
        self.ask(json!({ "request": "subscribe" }))?;
        for label in labels {
            self.ask(json!({ "request": "learn", "label": label }))?;
            output.text(|| format!("insert a drive in port {label}"));
            let socket = loop {
                let line: Line =
                    serde_json::from_str(&self.line()?).map_err(|error| Failure::new(Exit::Machine, error))?;
                let Line::Record(record) = line else { continue };
                match record.event {
                    Event::PortLearnt { port, socket } if port == *label => break socket,
                    Event::Condition { condition, text: Some(text) } if condition == "learning" => output.text(|| text),
                    _ => {}
                }
            };
            output.text(|| format!("port {label} is {socket}"));
        }
        self.ask(json!({ "request": "learn-end", "keep": true })).map(drop)
    }

    /// Print the record as it comes.
    fn watch(&mut self) -> Result<ExitCode, Failure> {
        self.ask(json!({ "request": "subscribe" }))?;
        loop {
            let line = self.line()?;
            let mut out = std::io::stdout().lock();
            if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

fn lost(error: std::io::Error) -> Failure {
    Failure::new(Exit::Machine, format!("the connection to the station: {error}"))
}

/// What the station says of a request that was not done.
fn refused(error: &Value) -> Failure {
    let exit = match error["exit"].as_u64() {
        Some(1) => Exit::Drive,
        Some(3) => Exit::Policy,
        Some(4) => Exit::Machine,
        _ => Exit::Request,
    };
    let failure = Failure::new(exit, error["text"].as_str().unwrap_or("the station refused").to_owned());
    match error["code"].as_str().and_then(platen_events::Code::from_id) {
        Some(code) => failure.coded(code),
        None => failure,
    }
}

/// A line for each port, then the batches, then what concerns the whole station.
fn status(state: &StationState) -> String {
    let mut rows = Vec::new();
    for (port, used) in state.ports() {
        let work = used.work.as_ref().map_or_else(String::new, ToString::to_string);
        let batch = used.batch.map_or_else(String::new, |batch| batch.to_string());
        let paused = if used.is_paused { "paused" } else { "" };
        let mut empty = true;
        for drive in state.drives().values().filter(|drive| drive.label.port == *port) {
            empty = false;
            let serial = drive.label.serial.clone().unwrap_or_default();
            let size = drive.label.size_bytes.map_or_else(String::new, human_bytes);
            let text = drive_text(state, drive);
            rows.push(vec![port.clone(), work.clone(), batch.clone(), serial, size, text]);
        }
        if empty {
            rows.push(vec![port.clone(), work, batch, String::new(), String::new(), format!("empty {paused}")]);
        }
    }
    for drive in state.drives().values().filter(|drive| !state.ports().contains_key(&drive.label.port)) {
        let size = drive.label.size_bytes.map_or_else(String::new, human_bytes);
        let serial = drive.label.serial.clone().unwrap_or_default();
        let none = String::new;
        rows.push(vec![drive.label.port.clone(), none(), none(), serial, size, drive_text(state, drive)]);
    }
    let mut text = table(&["PORT", "ARMED FOR", "BATCH", "SERIAL", "SIZE", "DRIVE"], &rows);
    for (id, batch) in state.batches() {
        let wanted = batch.wanted.map_or_else(String::new, |wanted| format!(" of {wanted}"));
        text += &format!(
            "\nbatch {id}: {}: {} good{wanted}, {} failed, {} refused",
            batch.work, batch.good, batch.failed, batch.refused
        );
    }
    for (condition, said) in state.conditions() {
        text += &format!("\n{condition}: {said}");
    }
    if let Some(system) = state.system() {
        text += &format!("\nsystem {}", system_text(system));
    }
    text
}

fn system_text(system: &SystemState) -> String {
    let SystemState { board, version, slot, other_version, update, .. } = system;
    let other = other_version.as_ref().map_or_else(String::new, |other| format!("; {other} in the other"));
    let update = match update {
        UpdateState::None | UpdateState::Unknown => String::new(),
        UpdateState::Offered { version, is_older: false } => format!("; {version} can be installed"),
        UpdateState::Offered { version, is_older: true } => {
            format!("; {version}, older than what was in use, can be installed by an administrator")
        }
        UpdateState::Refused { code, text } => format!("; {code}  {text}"),
        UpdateState::Installing { version, percent } => format!("; {version} is being installed: {percent} %"),
        UpdateState::Installed { version } => format!("; {version} is installed: restart to use it"),
    };
    format!("{version} for {board} in slot {slot}{other}{update}")
}

fn drive_text(state: &StationState, drive: &platen_events::DriveState) -> String {
    if let Some(refused) = &drive.refused {
        let code = refused.code.as_ref().map_or_else(String::new, |code| format!("{code} "));
        let why = refused.code.as_ref().and_then(|code| code.known()).map(|code| code.entry().what.to_owned());
        return format!("refused: {code}{}", why.unwrap_or_else(|| refused.text.clone()));
    }
    let Some(job) = drive.job.and_then(|job| state.jobs().get(&job)) else { return "waits".to_owned() };
    match (&job.end, &job.step) {
        (Some(end), _) if end.verdict == Verdict::Ready => "READY: remove it".to_owned(),
        (Some(end), _) => match end.verdict.code() {
            Some(code) => format!("{} {code}: {}", end.verdict, code.entry().todo),
            None => end.verdict.to_string(),
        },
        (None, Some(step)) => match step.total_bytes {
            Some(total) if total > 0 => format!("{} {} %", step.step, step.done_bytes * 100 / total),
            _ => step.step.to_string(),
        },
        (None, None) => "begins".to_owned(),
    }
}

impl From<WorkArg> for JobKind {
    fn from(work: WorkArg) -> Self {
        match work {
            WorkArg::Write => Self::Write,
            WorkArg::Update => Self::Update,
            WorkArg::Verify => Self::Verify,
            WorkArg::EraseQuick => Self::EraseQuick,
            WorkArg::EraseFull => Self::EraseFull,
            WorkArg::Test => Self::Test,
        }
    }
}
