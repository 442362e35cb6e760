//! A queue: callers wait with music, agents are chosen by what their devices do, a supervisor listens, and
//! afterwards the caller is asked how it was.

mod common;

use std::collections::BTreeMap;

use common::*;
use stasis_control::device::DeviceState;
use stasis_control::media::Way;
use stasis_control::message::{ApplicationEvent, ApplicationHappening};
use stasis_control::tech::{Answers, PhoneSettings};
use stasis_control::{NewSnoop, Refusal};

const CALLER: f64 = 250.0;
const AGENT: f64 = 850.0;
const BOSS: f64 = 1_150.0;
const MUSIC: f64 = 700.0;
const ANNOUNCED: f64 = 350.0;
const ALL: [f64; 5] = [CALLER, AGENT, BOSS, MUSIC, ANNOUNCED];

const PLAN: &str = "
[survey]
exten => s,1,Playback(menu)
same => n,Read(STARS,beep,1,,1,2)
same => n,UserEvent(Stars${STARS})
same => n,Hangup
";

/// The application. Callers are `c1`, `c2`, …; the calls to agents are named after both.
struct Queue {
    app: App,
    agents: Vec<&'static str>,
    /// Who waits, in the order of coming, with the call to an agent that is made for them.
    waiting: Vec<(String, Option<String>)>,
    /// Who talks to whom.
    together: BTreeMap<String, String>,
    tried: Vec<String>,
    rings: u64,
}

impl Queue {
    fn new(agents: &[(&'static str, PhoneSettings)], callers: PhoneSettings) -> Self {
        let mut phones = agents.to_vec();
        phones.push(("caller", callers));
        phones.push(("boss", quiet().says(BOSS)));
        let mut app = App::new("queue", PLAN, &phones);
        app.opens("hold", "holding", &[]);
        app.exchange().bridge_music("hold", Some("default")).unwrap();
        let agents = agents.iter().map(|(name, _)| *name).collect();
        let (waiting, together, tried) = Default::default();
        Queue { app, agents, waiting, together, tried, rings: 2_000 }
    }

    /// A caller comes in.
    fn comes(&mut self, id: &str) {
        self.app.is_called("caller", id);
        self.serve(60);
    }

    /// Time passes, and the application does its work.
    fn serve(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(20) {
            self.app.run(20);
            for line in self.app.news() {
                let words: Vec<_> = line.split(' ').collect();
                match words[..] {
                    ["StasisStart", id] if id.starts_with('c') => self.waits(id),
                    ["StasisStart", id, "called"] => self.is_answered(id),
                    ["ChannelDestroyed", id, _] => self.is_not_answered(id),
                    ["StasisEnd", id] => self.is_gone(id),
                    _ => {}
                }
            }
            self.calls_agents();
        }
    }

    fn waits(&mut self, id: &str) {
        self.app.exchange().answer(id).unwrap();
        self.app.adds("hold", &[id]);
        self.waiting.push((id.into(), None));
    }

    /// What an agent does: what was said of them goes before what their phone does.
    fn agent_state(&self, agent: &str) -> DeviceState {
        let state = self.app.stage.exchange.state();
        let said = state.device(&format!("Stasis:{agent}"));
        let does = state.device(&format!("Test/{agent}"));
        said.filter(|said| *said != DeviceState::NotInuse).or(does).unwrap_or_default()
    }

    /// The first who is free, and was not tried for this caller before.
    fn best(&self, caller: &str) -> Option<&'static str> {
        let is_free = |agent: &&&str| {
            matches!(self.agent_state(agent), DeviceState::NotInuse | DeviceState::Unknown)
                && !self.tried.contains(&format!("{agent}-{caller}"))
        };
        self.agents.iter().find(is_free).copied()
    }

    fn calls_agents(&mut self) {
        for at in 0..self.waiting.len() {
            let (caller, None) = self.waiting[at].clone() else { continue };
            let Some(agent) = self.best(&caller) else { continue };
            let call = format!("{agent}-{caller}");
            self.tried.push(call.clone());
            self.waiting[at].1 = Some(call.clone());
            self.app.calls(&format!("Test/{agent}"), &call, ms(self.rings));
        }
    }

    fn is_answered(&mut self, call: &str) {
        let at = self.waiting.iter().position(|(_, made)| made.as_deref() == Some(call));
        let (caller, _) = self.waiting.remove(at.expect("somebody waits for that"));
        let room = format!("with-{call}");
        self.app.opens(&room, "mixing", &[&caller, call]);
        self.together.insert(call.into(), caller);
    }

    fn is_not_answered(&mut self, call: &str) {
        let made = self.waiting.iter_mut().find(|(_, made)| made.as_deref() == Some(call));
        if let Some((_, made)) = made {
            *made = None;
        }
    }

    /// An agent who is gone leaves the caller to the survey; a caller who is gone needs no agent.
    fn is_gone(&mut self, id: &str) {
        if let Some(caller) = self.together.remove(id) {
            self.app.exchange().destroy_bridge(&format!("with-{id}")).unwrap();
            let survey = (Some("survey"), Some("s"));
            let survey =
                self.app.exchange().continue_in_dialplan(&caller, survey.0, survey.1, None, None);
            assert!(matches!(survey, Ok(()) | Err(Refusal::NoChannel(_))), "{survey:?}");
        }
        let talks = self.together.iter().find(|(_, caller)| *caller == id);
        if let Some(call) = talks.map(|(call, _)| call.clone()) {
            self.app.hangs_up_if_there(&call);
        }
        if let Some(at) = self.waiting.iter().position(|(caller, _)| caller == id)
            && let (_, Some(call)) = self.waiting.remove(at)
        {
            self.app.hangs_up_if_there(&call);
        }
    }

    fn close(mut self) {
        let channels = self.app.stage.exchange.state().channels();
        channels.iter().for_each(|channel| self.app.hangs_up_if_there(channel.id()));
        self.serve(100);
        self.app.exchange().destroy_bridge("hold").unwrap();
        self.app.end();
    }
}

fn talking() -> PhoneSettings {
    quiet().says(CALLER)
}

fn agent() -> PhoneSettings {
    quiet().says(AGENT).answers_after(500)
}

#[test]
fn callers_wait_with_music_and_are_told_how_long_it_takes() {
    let mut queue = Queue::new(&[("dan", that(Answers::Never))], talking());
    queue.rings = 60_000;
    queue.comes("c1");
    queue.comes("c2");
    assert_eq!(queue.app.members("hold"), ["c1", "c2"]);
    queue.app.hear(&[("c1", &[MUSIC]), ("c2", &[MUSIC])], &ALL);
    let how = queue.app.how(&["sound:hello-world"]);
    queue.app.exchange().play_to_bridge("hold", how).unwrap();
    queue.app.run(40);
    let heard = queue.app.heard_by(&["c1", "c2"], 600);
    for heard in &heard {
        assert!(heard_of(&heard[..6_000.min(heard.len())], &ALL).contains(&ANNOUNCED));
    }
    queue.serve(2_000);
    queue.app.hear(&[("c1", &[MUSIC]), ("c2", &[MUSIC])], &ALL);
    // One who gives up takes the call to the agent along.
    assert_eq!(queue.app.device("Test/dan"), "RINGING");
    queue.app.hangs_up("c1");
    queue.serve(100);
    assert_eq!(queue.app.members("hold"), ["c2"]);
    assert!(queue.app.channel("dan-c1").is_none());
    assert_eq!(
        queue.waiting,
        [("c2".to_owned(), Some("dan-c2".to_owned()))],
        "the next one's turn"
    );
    queue.close();
}

#[test]
fn the_next_agent_is_called_when_one_does_not_answer_and_who_is_busy_is_not() {
    let agents = [
        ("dan", that(Answers::Never)),
        ("eve", that(Answers::Busy)),
        ("fay", agent()),
        ("gus", agent()),
    ];
    let mut queue = Queue::new(&agents, talking());
    queue.app.exchange().set_device_state("Stasis:fay", DeviceState::Busy).unwrap();
    queue.comes("c1");
    assert_eq!(queue.agent_state("dan"), DeviceState::Ringing);
    queue.serve(3_000);
    assert_eq!(queue.tried, ["dan-c1", "eve-c1", "gus-c1"], "fay has said that she is busy");
    assert_eq!(queue.together.get("gus-c1").map(String::as_str), Some("c1"));
    queue.app.was_told(&[
        "ChannelDestroyed dan-c1 19",
        "Dial eve-c1 BUSY",
        "ChannelDestroyed eve-c1 17",
        "Dial gus-c1 ANSWER",
    ]);
    queue.app.hear(&[("c1", &[AGENT]), ("gus-c1", &[CALLER])], &ALL);
    // Gus is in a call, so the next caller waits, until Fay is back.
    assert_eq!(queue.agent_state("gus"), DeviceState::Inuse);
    queue.comes("c2");
    queue.serve(6_000);
    assert_eq!(queue.app.members("hold"), ["c2"]);
    queue.app.exchange().set_device_state("Stasis:fay", DeviceState::NotInuse).unwrap();
    queue.serve(1_000);
    assert_eq!(queue.together.len(), 2);
    queue.app.hear(&[("c2", &[AGENT]), ("fay-c2", &[CALLER])], &ALL);
    assert!(queue.app.exchange().set_device_state("Test/gus", DeviceState::Busy).is_err());
    queue.close();
}

#[test]
fn an_agent_who_hangs_up_leaves_the_caller_to_the_survey() {
    let agents = [("gus", agent().hangs_up_after(2_000))];
    let mut queue = Queue::new(&agents, talking().presses(5_000, "4"));
    let mut watch = queue.app.stage.listen_to_all("watch");
    queue.comes("c1");
    queue.serve(8_000);
    let told = watch.told();
    assert!(told.contains(&"ChannelUserevent Stars4".to_owned()), "{told:#?}");
    assert!(queue.app.channel("c1").is_none());
    queue.app.was_told(&["StasisEnd gus-c1", "StasisEnd c1"]);
    // The other way round: the caller hangs up, and so is the agent.
    queue.close();
    let mut queue = Queue::new(&[("gus", agent())], talking().hangs_up_after(3_000));
    queue.comes("c1");
    queue.serve(2_000);
    assert_eq!(queue.together.len(), 1);
    queue.serve(3_000);
    assert!(queue.together.is_empty() && queue.app.channel("gus-c1").is_none());
    queue.close();
}

#[test]
fn a_supervisor_hears_both_and_whispers_to_the_agent_alone() {
    let mut queue = Queue::new(&[("gus", agent())], talking());
    queue.comes("c1");
    queue.serve(1_000);
    let app = &mut queue.app;
    app.is_called("boss", "b");
    app.until("StasisStart b");
    app.exchange().answer("b").unwrap();
    let snoop = |id: &str, whisper| NewSnoop {
        id: Some(id.into()),
        spy: Way::Both,
        whisper,
        app: "queue".into(),
        args: vec!["spy".into()],
    };
    app.exchange().snoop("gus-c1", snoop("spy", Way::None)).unwrap();
    assert_eq!(app.until("StasisStart spy"), "spy");
    app.opens("watch", "mixing", &["b", "spy"]);
    app.run(100);
    app.hear(&[("b", &[CALLER, AGENT]), ("c1", &[AGENT]), ("gus-c1", &[CALLER])], &ALL);
    // The same with a whisper.
    app.hangs_up("spy");
    app.exchange().snoop("gus-c1", snoop("whisper", Way::Out)).unwrap();
    assert_eq!(app.until("StasisStart whisper"), "spy");
    app.adds("watch", &["whisper"]);
    app.run(100);
    app.hear(&[("c1", &[AGENT])], &ALL);
    app.hear(&[("gus-c1", &[CALLER, BOSS])], &ALL);
    // Who is overheard hangs up: so does who overhears.
    app.hangs_up("gus-c1");
    app.until("StasisEnd whisper");
    assert!(app.channel("whisper").is_none());
    assert_eq!(app.members("watch"), ["b"]);
    app.hangs_up("b");
    app.exchange().destroy_bridge("watch").unwrap();
    queue.close();
}

#[test]
fn a_caller_is_moved_to_another_application_if_there_is_one() {
    let mut queue = Queue::new(&[], talking());
    let mut sales = queue.app.stage.listen("sales");
    queue.comes("c1");
    let app = &mut queue.app;
    app.exchange().move_to("c1", "nobody", vec!["x".into()]).unwrap();
    assert_eq!(app.until("ApplicationMoveFailed c1"), "nobody");
    assert_eq!(app.members("hold"), ["c1"], "it stays where it is");
    assert_eq!(app.count("StasisEnd"), 0);
    let _ = sales.told();
    app.exchange().move_to("c1", "sales", vec!["from".into(), "queue".into()]).unwrap();
    assert_eq!(app.until("StasisEnd"), "c1");
    let deliveries = sales.deliveries();
    let came: Vec<_> = deliveries.iter().flat_map(lines).collect();
    assert_eq!(came, ["StasisStart c1 from,queue"]);
    let start = deliveries.iter().find_map(|delivery| {
        match &delivery.downcast_ref::<ApplicationEvent>()?.event {
            ApplicationHappening::StasisStart { channel, .. } => Some(channel.clone()),
            _ => None,
        }
    });
    assert_eq!(start.unwrap().id().to_string(), "c1");
    // It hears nothing of the channel any more; the other one does.
    queue.serve(100);
    queue.app.hangs_up("c1");
    queue.serve(100);
    assert_eq!(queue.app.count("ChannelDestroyed c1"), 0);
    let told = sales.told();
    assert!(told.contains(&"StasisEnd c1".to_owned()), "{told:#?}");
    assert_eq!(queue.app.members("hold"), Vec::<String>::new());
    queue.waiting.clear();
    queue.close();
}

#[test]
fn ten_callers_are_served_one_after_the_other_in_the_order_of_coming() {
    let agents = [("gus", agent().hangs_up_after(1_500)), ("fay", agent().hangs_up_after(2_500))];
    let mut queue = Queue::new(&agents, talking());
    let ids: Vec<_> = (0..10).map(|n| format!("c{n}")).collect();
    for id in &ids {
        queue.comes(id);
        queue.serve(200);
    }
    queue.serve(30_000);
    assert!(queue.waiting.is_empty() && queue.together.is_empty());
    let served: Vec<_> = queue.tried.iter().map(|call| &call[4..]).collect();
    assert_eq!(served, ids);
    queue.close();
}
