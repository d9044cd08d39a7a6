// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the panel says, in each language: a catalogue file for each, and the table of codes for English sentences.

use std::collections::BTreeMap;

use platen_events::{AnyCode, Code};
use serde::{Deserialize, Serialize};

/// A language that the panel speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[serde(rename = "en")]
    English,
    /// Korean.
    #[serde(rename = "ko")]
    Korean,
}

impl Language {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::English, Self::Korean];

    fn text(self) -> &'static str {
        match self {
            Self::English => include_str!("../catalogue/en.toml"),
            Self::Korean => include_str!("../catalogue/ko.toml"),
        }
    }
}

macro_rules! words {
    ($($word:ident $key:literal)*) => {
        /// A text of the catalogues.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "catalogue/en.toml has each of them")]
        pub enum Word { $($word),* }

        impl Word {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$word),*];

            /// As the catalogues call it.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$word => $key),* }
            }
        }
    };
}

words! {
    Empty "empty"
    Insert "insert"
    ChooseTile "choose-tile"
    Checking "checking"
    Writing "writing"
    Restarting "restarting"
    ReadingBack "reading-back"
    Paused "paused"
    Ready "ready"
    Erased "erased"
    Tested "tested"
    Verified "verified"
    Read "read"
    Retry "retry"
    Refused "refused"
    Failed "failed"
    SmallChecking "small-checking"
    SmallRestarting "small-restarting"
    SmallReadingBack "small-reading-back"
    MonoEmpty "mono-empty"
    MonoInsert "mono-insert"
    MonoChoose "mono-choose"
    MonoChecking "mono-checking"
    MonoWriting "mono-writing"
    MonoRestarting "mono-restarting"
    MonoReadingBack "mono-reading-back"
    MonoPaused "mono-paused"
    MonoReady "mono-ready"
    MonoRetry "mono-retry"
    MonoRefused "mono-refused"
    MonoFailed "mono-failed"
    MonoPull "mono-pull"
    MonoPutBack "mono-put-back"
    Remove "remove"
    SetAside "set-aside"
    PutBack "put-back"
    TryAgainTile "try-again-tile"
    WhyTooSmall "why-too-small"
    WhyTooBig "why-too-big"
    WhyLocked "why-locked"
    WhyInUse "why-in-use"
    WhySetAside "why-set-aside"
    WhyNotUsb "why-not-usb"
    WhyNoPower "why-no-power"
    WhyWrongPort "why-wrong-port"
    WhyDone "why-done"
    LongReadingBack "long-reading-back"
    VerdictReady "verdict-ready"
    VerdictTryAgain "verdict-try-again"
    VerdictNotUsable "verdict-not-usable"
    GoodDrives "good-drives"
    OfMany "of-many"
    OfManyGood "of-many-good"
    Good "good"
    GoodDrivesBelow "good-drives-below"
    SetAsideCount "set-aside-count"
    RefusedCount "refused-count"
    BelowMinute "below-minute"
    Minutes "minutes"
    Hours "hours"
    Left "left"
    AboutLeft "about-left"
    Armed "armed"
    NotArmed "not-armed"
    SomePaused "some-paused"
    PageOf "page-of"
    InsertDrives "insert-drives"
    StartsAtOnce "starts-at-once"
    ChooseWhat "choose-what"
    NothingStarts "nothing-starts"
    Duplicate "duplicate"
    DuplicateNote "duplicate-note"
    Ok "ok"
    Back "back"
    Cancel "cancel"
    Menu "menu"
    Pause "pause"
    Resume "resume"
    Disarm "disarm"
    Choose "choose"
    LightPort "light-port"
    StopDrive "stop-drive"
    NextBatch "next-batch"
    SaveReport "save-report"
    Yes "yes"
    No "no"
    Stop "stop"
    KeepWriting "keep-writing"
    Skip "skip"
    Next "next"
    Search "search"
    Done "done"
    KindStandAlone "kind-stand-alone"
    KindPrestaged "kind-prestaged"
    KindCapture "kind-capture"
    KindBootable "kind-bootable"
    KindImage "kind-image"
    KindTree "kind-tree"
    KindOther "kind-other"
    LabelKind "label-kind"
    LabelVersion "label-version"
    LabelSignedBy "label-signed-by"
    LabelValidUntil "label-valid-until"
    LabelContent "label-content"
    LabelFits "label-fits"
    SizeAndUp "size-and-up"
    DrivesFit "drives-fit"
    NoDrives "no-drives"
    PortTooSmall "port-too-small"
    NoMedia "no-media"
    NoMediaTodo "no-media-todo"
    MediumDamaged "medium-damaged"
    MediumExpired "medium-expired"
    MediumNotYet "medium-not-yet"
    ClockBehind "clock-behind"
    HowMany "how-many"
    HowManyNote "how-many-note"
    Port "port"
    PortNumber "port-number"
    LabelDrive "label-drive"
    LabelSerial "label-serial"
    LabelSize "label-size"
    LabelPowerCut "label-power-cut"
    LabelSpeed "label-speed"
    LabelState "label-state"
    LabelMedium "label-medium"
    PowerConfirmed "power-confirmed"
    PowerLost "power-lost"
    PowerNotYet "power-not-yet"
    NoDrive "no-drive"
    NoDriveTodo "no-drive-todo"
    RowPlace "row-place"
    StopQuestion "stop-question"
    StopNote "stop-note"
    ArmQuestion "arm-question"
    DisarmQuestion "disarm-question"
    DisarmNote "disarm-note"
    ShutDownQuestion "shut-down-question"
    ShutDownNote "shut-down-note"
    PullFromPort "pull-from-port"
    AlsoWaiting "also-waiting"
    BatchFinished "batch-finished"
    AllReadBack "all-read-back"
    NothingElse "nothing-else"
    SetAsideAndRefused "set-aside-and-refused"
    SerialEnds "serial-ends"
    EnterPin "enter-pin"
    NewPin "new-pin"
    WrongPin "wrong-pin"
    PinNote "pin-note"
    Technician "technician"
    Operator "operator"
    Administrator "administrator"
    ChooseLanguage "choose-language"
    ThenSetup "then-setup"
    SetupPins "setup-pins"
    SetupPinsNote "setup-pins-note"
    SetupPorts "setup-ports"
    SetupPortsNote "setup-ports-note"
    SetupClock "setup-clock"
    SetupClockNote "setup-clock-note"
    LearnPort "learn-port"
    LearnNote "learn-note"
    Platen "platen"
    Settings "settings"
    History "history"
    Import "import"
    About "about"
    Service "service"
    ShutDown "shut-down"
    Language "language"
    Brightness "brightness"
    Sound "sound"
    SoundOff "sound-off"
    SoundQuiet "sound-quiet"
    SoundFull "sound-full"
    Ports "ports"
    PortCount "port-count"
    Pins "pins"
    PinsNote "pins-note"
    Clock "clock"
    Hand "hand"
    HandRight "hand-right"
    HandLeft "hand-left"
    PercentOf "percent-of"
    TestColour "test-colour"
    TestTouch "test-touch"
    TestKeys "test-keys"
    TestLight "test-light"
    TestSound "test-sound"
    TestPorts "test-ports"
    TouchCrosses "touch-crosses"
    KeysPress "keys-press"
    LightQuestion "light-question"
    SoundQuestion "sound-question"
    PortsInsert "ports-insert"
    TestsNote "tests-note"
    Passed "passed"
    NotPassed "not-passed"
    NotRun "not-run"
    KeyPrevious "key-previous"
    KeyChoose "key-choose"
    KeyNext "key-next"
    NoRows "no-rows"
    NoRowsTodo "no-rows-todo"
    SearchSerial "search-serial"
    DriveInPort "drive-in-port"
    ImportNone "import-none"
    ImportNoneTodo "import-none-todo"
    Importing "importing"
    Scrubbing "scrubbing"
    LabelStation "label-station"
    LabelSoftware "label-software"
    LabelAuthorKey "label-author-key"
    LabelStationKey "label-station-key"
    LabelLicence "label-licence"
    Licence "licence"
    Fonts "fonts"
    FontLicence "font-licence"
    System "system"
    SystemInUse "system-in-use"
    SystemNone "system-none"
    SystemOffered "system-offered"
    SystemOlder "system-older"
    Install "install"
    Installing "installing"
    InstallingNote "installing-note"
    Installed "installed"
    InstalledNote "installed-note"
    Restart "restart"
    RestartQuestion "restart-question"
    DataAnew "data-anew"
    DataAnewQuestion "data-anew-question"
    DataAnewNote "data-anew-note"
    MonoNotDone "mono-not-done"
    MonoNotDoneTodo "mono-not-done-todo"
    NotDone "not-done"
    NotDoneTodo "not-done-todo"
    UnknownCode "unknown-code"
    UnknownTodo "unknown-todo"
    FailedCodeFree "failed-code-free"
}

/// All texts of one language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// The language, named in itself.
    pub name: String,
    /// What its button on the first screen says.
    pub start: String,
    words: BTreeMap<String, String>,
    #[serde(default)]
    sentences: BTreeMap<String, [String; 2]>,
    short: BTreeMap<String, [String; 2]>,
}

/// What a code means to the person who stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentences {
    /// What happened.
    pub what: String,
    /// What to do.
    pub todo: String,
}

impl Catalogue {
    /// The texts of this language.
    pub fn of(language: Language) -> Self {
        toml::from_str(language.text()).expect("the panel's own catalogue, which a test reads")
    }

    /// A text that has no blanks to be filled.
    pub fn say(&self, word: Word) -> &str {
        self.words.get(word.key()).map_or(word.key(), String::as_str)
    }

    /// A text whose blanks are filled: `{n}` by the value that stands beside `n`.
    pub fn fill(&self, word: Word, values: &[(&str, &str)]) -> String {
        let filled = |text: String, (name, value): &(&str, &str)| text.replace(&format!("{{{name}}}"), value);
        values.iter().fold(self.say(word).to_owned(), filled)
    }

    /// The sentences of a code, as long as they are.
    pub fn sentences(&self, code: &AnyCode) -> Sentences {
        let Some(known) = code.known() else { return self.of_newer() };
        let entry = known.entry();
        match self.sentences.get(entry.id) {
            Some([what, todo]) => Sentences { what: what.clone(), todo: todo.clone() },
            None => Sentences { what: entry.what.to_owned(), todo: entry.todo.to_owned() },
        }
    }

    /// The same for a panel that has no room for sentences.
    pub fn short(&self, code: &AnyCode) -> Sentences {
        match code.known().and_then(|known| self.short.get(known.entry().id)) {
            Some([what, todo]) => Sentences { what: what.clone(), todo: todo.clone() },
            None => self.of_newer(),
        }
    }

    fn of_newer(&self) -> Sentences {
        Sentences { what: self.say(Word::UnknownCode).to_owned(), todo: self.say(Word::UnknownTodo).to_owned() }
    }

    /// So long, in whole minutes: `9 min`, `1 h 40 min`.
    pub fn duration(&self, seconds: u64) -> String {
        let minutes = (seconds + 30) / 60;
        match minutes {
            _ if seconds < 60 => self.say(Word::BelowMinute).to_owned(),
            0..=90 => self.fill(Word::Minutes, &[("n", &minutes.to_string())]),
            _ => self.fill(Word::Hours, &[("h", &(minutes / 60).to_string()), ("m", &(minutes % 60).to_string())]),
        }
    }

    /// What stands in a tile when a drive is refused, or has to be tried again.
    pub fn why(&self, code: Option<&AnyCode>) -> String {
        let word = match code.and_then(AnyCode::known) {
            Some(Code::TooSmall) => Word::WhyTooSmall,
            Some(Code::TooLarge) => Word::WhyTooBig,
            Some(Code::ReadOnly) => Word::WhyLocked,
            Some(Code::Busy) => Word::WhyInUse,
            Some(Code::NotAllowed) => Word::WhyNotUsb,
            Some(Code::NoPowerSwitch | Code::PowerKept) => Word::WhyNoPower,
            Some(Code::NotTaken) => Word::WhyWrongPort,
            Some(Code::AlreadyDone) => Word::WhyDone,
            Some(Code::Vanished) => Word::PutBack,
            Some(Code::Cancelled | Code::StationFault) => Word::TryAgainTile,
            Some(code) if code.entry().advice == platen_events::Advice::PullAndSetAside => Word::WhySetAside,
            Some(code) => return code.entry().id.to_owned(),
            None => return code.map_or(String::new(), ToString::to_string),
        };
        self.say(word).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_catalogue_has_every_text_and_no_other() {
        for language in Language::ALL {
            let catalogue = Catalogue::of(language);
            let missing: Vec<&str> =
                Word::ALL.iter().map(|word| word.key()).filter(|key| !catalogue.words.contains_key(*key)).collect();
            assert!(missing.is_empty(), "{language:?} lacks {missing:?}");
            let known: Vec<&str> = Word::ALL.iter().map(|word| word.key()).collect();
            let unknown: Vec<&String> = catalogue.words.keys().filter(|key| !known.contains(&key.as_str())).collect();
            assert!(unknown.is_empty(), "{language:?} has {unknown:?}, which nothing says");
        }
    }

    #[test]
    fn every_code_has_its_sentences_in_every_language() {
        for language in Language::ALL {
            let catalogue = Catalogue::of(language);
            for code in Code::ALL {
                let id = code.entry().id;
                assert!(catalogue.short.contains_key(id), "{language:?} has no short sentences for {id}");
                let has = catalogue.sentences.contains_key(id);
                assert!(has || language == Language::English, "{language:?} has no sentences for {id}");
            }
            let ids: Vec<&str> = Code::ALL.iter().map(|code| code.entry().id).collect();
            let unknown =
                catalogue.short.keys().chain(catalogue.sentences.keys()).find(|id| !ids.contains(&id.as_str()));
            assert_eq!(unknown, None, "{language:?}");
        }
    }

    #[test]
    fn blanks_are_the_same_in_every_language() {
        let blanks = |text: &str| {
            let mut found: Vec<String> = text.split('{').skip(1).map(|rest| rest.chars().take(1).collect()).collect();
            found.sort();
            found.dedup();
            found
        };
        let english = Catalogue::of(Language::English);
        for language in Language::ALL {
            let catalogue = Catalogue::of(language);
            for word in Word::ALL {
                assert_eq!(blanks(catalogue.say(*word)), blanks(english.say(*word)), "{language:?}: {}", word.key());
            }
        }
    }

    #[test]
    fn times_are_whole_minutes() {
        let english = Catalogue::of(Language::English);
        let said = [20, 61, 540, 5400, 6000].map(|seconds| english.duration(seconds));
        assert_eq!(said, ["< 1 min", "1 min", "9 min", "90 min", "1 h 40 min"]);
        assert_eq!(Catalogue::of(Language::Korean).duration(6000), "1시간 40분");
    }
}
