//! The records of calls, fed with everything: they balance, and forget who is gone.

use std::collections::BTreeMap;

use stasis_bus::Message;
use stasis_control::records::Input;
use stasis_control::records::cdr::{CdrSettings, Cdrs};
use stasis_control::records::cel::{CelEvent, CelRecord, CelSettings, Cels, Watched};

pub struct Ledger {
    cdrs: Cdrs,
    cels: Cels,
    /// Of each channel: how often it began, what of it runs, who is with it.
    open: BTreeMap<(String, &'static str), i64>,
}

impl Default for Ledger {
    fn default() -> Self {
        let cdr = CdrSettings { unanswered: true, congestion: true, ..CdrSettings::default() };
        let cel = CelSettings {
            events: CelEvent::ALL.iter().copied().collect(),
            applications: Watched::All,
        };
        Ledger { cdrs: Cdrs::new(cdr), cels: Cels::new(cel), open: BTreeMap::new() }
    }
}

impl Ledger {
    pub fn take(&mut self, message: &Message) {
        let Some(input) = Input::of(message) else { return };
        self.cdrs.take(input);
        for record in self.cels.take(input) {
            self.count(&record);
        }
    }

    fn count(&mut self, record: &CelRecord) {
        let (kind, step) = match record.event {
            CelEvent::ChanStart => ("channel", 1),
            CelEvent::ChanEnd => ("channel", -1),
            CelEvent::AppStart => ("application", 1),
            CelEvent::AppEnd => ("application", -1),
            CelEvent::BridgeEnter => ("bridge", 1),
            CelEvent::BridgeExit => ("bridge", -1),
            _ => return,
        };
        let open = self.open.entry((record.uniqueid.clone(), kind)).or_default();
        *open += step;
        assert!((0..=1).contains(open) || kind == "application", "{open} of {record:?}");
        assert!((0..=2).contains(open), "{open} of {record:?}");
        if *open == 0 {
            self.open.remove(&(record.uniqueid.clone(), kind));
        }
    }

    pub fn look_at_the_end(&self) {
        assert_eq!((self.cdrs.kept(), self.cels.kept()), (0, 0), "records keep what is gone");
        assert!(self.open.is_empty(), "never ended: {:?}", self.open);
    }
}
