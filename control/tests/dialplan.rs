//! Whole dialplans: what is found in them, and what is said about those that are wrong.

use stasis_bus::{Bus, Settings};
use stasis_control::Exchange;
use stasis_control::dialplan::{Application, Context, Dialplan, DialplanError};
use stasis_control::id::AppName;
use stasis_control::time::Epoch;

const GOLDEN: &str = "
[golden]
exten => echo,1,Answer
same => n,Echo
exten => wait,1,Answer
same => n,Wait(60)
exten => noanswer,1,Wait(60)
exten => ring,1,Ringing
same => n,Wait(60)
exten => ringans,1,Ringing
same => n,Wait(1)
same => n,Answer
same => n,Wait(60)
exten => progans,1,Progress
same => n,Wait(1)
same => n,Answer
same => n,Wait(60)
exten => busy,1,Busy(3)
exten => congestion,1,Congestion(3)
exten => reject,1,Hangup(21)
exten => hello,1,Answer
same => n,Playback(hello-world)
same => n,Hangup
exten => talk,1,Answer
same => n,Playback(hello-world)
same => n,Wait(60)
exten => short,1,Answer
same => n,Wait(2)
same => n,Hangup
exten => enter,1,Answer
same => n,Stasis(golden,arg1,arg2)
same => n,NoOp(back ${STASISSTATUS})
same => n,Wait(2)
same => n,Hangup
exten => enterearly,1,Stasis(golden,early)
same => n,NoOp(back ${STASISSTATUS})
same => n,Hangup
exten => digits,1,Answer
same => n,Wait(1)
same => n,SendDTMF(12#,100,200)
same => n,Wait(60)
exten => dialwait,1,Dial(Local/wait@golden/n,5)
exten => dialnoans,1,Dial(Local/ring@golden/n,2)
same => n,NoOp(${DIALSTATUS})
same => n,Hangup
exten => vars,1,Answer
same => n,Set(ONE=1)
same => n,Set(_TWO=2)
same => n,Set(CALLERID(num)=555)
same => n,Set(CALLERID(name)=Five)
same => n,Wait(60)
exten => after,1,NoOp(after)
same => n,Wait(1)
same => n,Hangup
same => 10(here),NoOp(here)
same => n,Wait(1)
same => n,Hangup
exten => ue,1,Answer
same => n,UserEvent(Gold,Key: value,Other: two)
same => n,Wait(60)
exten => bcast,1,Answer
same => n,StasisBroadcast(5000,^golden.*)
same => n,NoOp(back)
same => n,Hangup
";

/// Extensions of the golden plan: priorities from 1, as `Name(arguments)`, blanks between.
const STEPS: [(&str, &str); 21] = [
    ("echo", "Answer() Echo()"),
    ("wait", "Answer() Wait(60)"),
    ("noanswer", "Wait(60)"),
    ("ring", "Ringing() Wait(60)"),
    ("ringans", "Ringing() Wait(1) Answer() Wait(60)"),
    ("progans", "Progress() Wait(1) Answer() Wait(60)"),
    ("busy", "Busy(3)"),
    ("congestion", "Congestion(3)"),
    ("reject", "Hangup(21)"),
    ("hello", "Answer() Playback(hello-world) Hangup()"),
    ("talk", "Answer() Playback(hello-world) Wait(60)"),
    ("short", "Answer() Wait(2) Hangup()"),
    ("enter", "Answer() Stasis(golden,arg1,arg2) NoOp(back ${STASISSTATUS}) Wait(2) Hangup()"),
    ("enterearly", "Stasis(golden,early) NoOp(back ${STASISSTATUS}) Hangup()"),
    ("digits", "Answer() Wait(1) SendDTMF(12#,100,200) Wait(60)"),
    ("dialwait", "Dial(Local/wait@golden/n,5)"),
    ("dialnoans", "Dial(Local/ring@golden/n,2) NoOp(${DIALSTATUS}) Hangup()"),
    (
        "vars",
        "Answer() Set(ONE=1) Set(_TWO=2) Set(CALLERID(num)=555) Set(CALLERID(name)=Five) Wait(60)",
    ),
    ("after", "NoOp(after) Wait(1) Hangup()"),
    ("ue", "Answer() UserEvent(Gold,Key: value,Other: two) Wait(60)"),
    ("bcast", "Answer() StasisBroadcast(5000,^golden.*) NoOp(back) Hangup()"),
];

fn conf(text: &str) -> Dialplan {
    Dialplan::parse_conf(text).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

fn steps(dialplan: &Dialplan, context: &str, exten: &str) -> String {
    let steps = (1..).map_while(|priority| dialplan.step(context, exten, priority));
    let steps = steps.map(|step| format!("{}({})", step.app, step.args));
    steps.collect::<Vec<_>>().join(" ")
}

fn texts(errors: Result<Dialplan, Vec<DialplanError>>) -> Vec<String> {
    errors.expect_err("it is wrong").iter().map(ToString::to_string).collect()
}

#[test]
fn the_golden_plan_is_read_and_all_its_steps_are_applications() {
    let dialplan = conf(GOLDEN);
    assert_eq!(dialplan.warnings(), []);
    for (exten, expected) in STEPS {
        assert_eq!(steps(&dialplan, "golden", exten), expected);
        assert!(dialplan.matches("golden", exten));
        for step in (1..).map_while(|priority| dialplan.step("golden", exten, priority)) {
            assert_eq!(Application::parse(step.app, step.args).unwrap().name(), step.app);
        }
    }
    assert_eq!(dialplan.label("golden", "after", "here"), Some(10));
    let step = dialplan.step("golden", "after", 10).unwrap();
    assert_eq!((step.label, step.app, step.args), (Some("here"), "NoOp", "here"));
    assert_eq!(dialplan.step("golden", "after", 12).unwrap().app, "Hangup");
    assert!(dialplan.step("golden", "after", 4).is_none());
    assert!(!dialplan.matches("golden", "nobody") && !dialplan.matches("other", "echo"));
}

#[test]
fn the_examples_of_the_page_are_one_dialplan_in_two_forms() {
    let page = include_str!("../../docs/dialplan.md");
    let example = |kind: &str| {
        let (_, behind) = page.split_once(&format!("```{kind}\n")).expect("the page has one");
        behind.split_once("```").expect("it ends").0
    };
    let one = conf(example("ini"));
    let other = Dialplan::parse_toml(example("toml")).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert!(one.contexts().eq(other.contexts()) && one.contexts().count() > 1);
    assert!(one.globals().eq(other.globals()) && one.globals().count() > 0);
    for context in one.contexts() {
        for exten in ["100", "101", "7000", "200", "s", "i", "t", "h", "0", "999"] {
            for priority in 1..20 {
                let steps =
                    (one.step(context, exten, priority), other.step(context, exten, priority));
                assert_eq!(steps.0, steps.1, "{exten}@{context}");
            }
        }
    }
    for name in Application::NAMES {
        assert!(page.contains(&format!("| `{name}(")), "the table has no {name}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_told_by_line_and_with_what_to_do() {
    let text = "exten => 1,1,Answer
[a]
same => n,Answer
exten => 1,1,Anwser
same => n,Wait(soon)
same => n,Hangup(USER_BUZY)
exten => 1,1,NoOp
exten => 2,n,NoOp
exten => 2/200,1,NoOp
same => n,NoOp
exten => 3,x,NoOp
exten => _[1,1,NoOp
exten => 4,1,NoOp(
include => b
include => aa
include => a,9:00-17:00,*,*,*
#include \"other.conf\"
nothing
[c](!)
[d]
exten => 5,1(x),NoOp
same => 1,NoOp
same => n(x),NoOp
switch => Realtime
color = red
;-- no end
";
    let texts = texts(Dialplan::parse_conf(text));
    let expected = [
        "line 1: this stands before the first context: write `[default]` above it",
        "line 3: `same` has no extension to belong to: write `exten => name,1,...` above it",
        "line 4: there is no application `Anwser`: did you mean `Answer`?",
        "line 5: Wait: `soon` is no number of seconds",
        "line 6: Hangup: `USER_BUZY` is no cause of Q.850: did you mean `USER_BUSY`?",
        "line 8: `2` has no step yet that `n` could follow: begin with priority 1",
        "line 9: `2/200 (a caller's number behind /)` is not supported: match the number that is \
         dialled alone, and look at ${CALLERID(num)} in it",
        "line 11: `x` is no priority: write a number from 1, `n`, `n+2`, or `n(label)`",
        "line 12: the extension `_[1` is not understood: a `[` has no `]`",
        "line 13: `NoOp(` is no application: write `Name(arguments)`",
        "line 14: there is no context `b` to include: did you mean `a`?",
        "line 15: there is no context `aa` to include: did you mean `a`?",
        "line 16: `a,9:00-17:00,*,*,*` is not supported: include the context alone, and decide by \
         GotoIf in it",
        "line 17: `#include \"other.conf\"` is not supported: put the text of the other file in \
         its place",
    ];
    for (found, expected) in texts.iter().zip(expected) {
        assert_eq!(found, expected);
    }
    let lines: Vec<_> = texts.iter().filter_map(|text| text.split(':').next()).collect();
    let behind = ["line 18", "line 19", "line 22", "line 23", "line 24", "line 25", "line 26"];
    assert_eq!(lines[expected.len()..], behind);
}

#[test]
fn a_second_step_in_one_place_is_refused_with_the_line_of_the_first() {
    let texts = texts(Dialplan::parse_conf("[a]\nexten => 1,1,NoOp\nexten => 1,1,Answer\n"));
    assert_eq!(texts, ["line 3: `1` has a priority 1 already, on line 2: write `n` for the next"]);
}

#[test]
fn mistakes_in_toml_have_their_lines_too() {
    let text = "
top = 1
[contexts.a]
include = ['b', 3]
colour = 'red'
[contexts.a.extensions]
1 = ['Anwser', { label = 'x' }, { app = 'NoOp', priority = 0 }, 5]
2 = { a = 1 }
3 = [{ app = 'NoOp', prio = 2 }, { app = 'NoOp', label = '' }]
4 = 'Answer'
[globals]
G = []
";
    let texts = texts(Dialplan::parse_toml(text));
    let expected = [
        "line 2: `top` does not belong here: write [globals] or [contexts.NAME]",
        "line 4: `include` does not belong here: include is a list of names of contexts",
        "line 4: there is no context `b` to include: did you mean `a`?",
    ];
    for expected in expected {
        assert!(texts.iter().any(|text| text == expected), "{expected} in {texts:#?}");
    }
    let count = |line| texts.iter().filter(|text| text.starts_with(line)).count();
    assert_eq!((count("line 5:"), count("line 7:"), count("line 8:")), (1, 4, 1));
    assert_eq!((count("line 9:"), count("line 10:"), count("line 12:")), (2, 0, 1));
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let texts = texts(Dialplan::parse_toml("[contexts.a\n\n[contexts]\n= 3\n"));
    assert!(texts[0].starts_with("line 1: this is no TOML:"), "{texts:?}");
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let dialplan = conf(
        "[general]\nstatic=yes\nfancy=yes\n[a]\nexten => 1,hint,SIP/1\nexten => _.,1,NoOp\n\
         same => n,NoOp\nexten => _1.2,1,NoOp\nignorepat => 9\n",
    );
    let lines: Vec<_> = dialplan.warnings().iter().map(|warning| warning.line).collect();
    assert_eq!(lines, [3, 5, 6, 8, 9]);
    assert!(dialplan.warnings()[2].to_string().starts_with("line 6: `_.` matches every extension"));
    assert!(dialplan.matches("a", "h") && dialplan.matches("a", "15"));
}

#[test]
fn the_most_special_match_wins_and_a_more_general_one_goes_on() {
    let dialplan = conf(
        "[a]\nexten => _6XX1,1,NoOp(A)\nexten => _64XX,1,NoOp(B)\nexten => _640X,1,NoOp(C)\n\
         exten => _6.,1,NoOp(D)\nexten => _64NX,1,NoOp(E)\nexten => _6[45]NX,1,NoOp(F)\n\
         exten => _6[34]NX,1,NoOp(G)\nexten => 6499,1,NoOp(H)\nexten => _64XX,n,NoOp(more)\n",
    );
    for (exten, expected) in [
        ("6421", "NoOp(E) NoOp(more)"),
        ("6401", "NoOp(C) NoOp(more)"),
        ("6411", "NoOp(B) NoOp(more)"),
        ("6499", "NoOp(H) NoOp(more)"),
        ("64-99", "NoOp(H) NoOp(more)"),
        ("6321", "NoOp(G)"),
        ("6521", "NoOp(F)"),
        ("6111", "NoOp(A)"),
        ("61", "NoOp(D)"),
        ("6", ""),
    ] {
        assert_eq!(steps(&dialplan, "a", exten), expected, "{exten}");
    }
}

#[test]
fn included_contexts_come_after_ones_own_in_order_and_depth_first() {
    let dialplan = conf(
        "[a]\ninclude => b\ninclude => c\nexten => _1X,1,NoOp(a)\n\
         [b]\ninclude => d\nexten => 10,1,NoOp(b)\nexten => 20,1,NoOp(b)\n\
         [c]\nexten => 20,1,NoOp(c)\nexten => 30,1,NoOp(c)\nexten => 40,1(x),NoOp(c)\n\
         [d]\ninclude => a\nexten => 30,1,NoOp(d)\n",
    );
    for (exten, expected) in [("10", "a"), ("20", "b"), ("30", "d"), ("40", "c")] {
        assert_eq!(dialplan.step("a", exten, 1).unwrap().args, expected);
    }
    assert_eq!(dialplan.label("d", "40", "x"), Some(1));
    assert!(!dialplan.matches("a", "50"));
    assert!(dialplan.could_match_longer("d", "4") && !dialplan.could_match_longer("d", "5"));
}

#[test]
fn a_context_made_by_a_program_is_added_without_touching_the_dialplan_before() {
    let before = conf("[a]\nexten => 1,1,NoOp\n");
    let context = |app: &str| {
        let context = Context::new("stasis-x").extension("_.", &[&format!("Stasis({app})")]);
        context.unwrap().extension("h", &["NoOp"]).unwrap().include("a").include("missing")
    };
    let after = before.with_context(context("one"));
    assert!(!before.matches("stasis-x", "200") && after.matches("a", "1"));
    assert_eq!(after.step("stasis-x", "200", 1).unwrap().args, "one");
    assert_eq!(after.step("stasis-x", "h", 1).unwrap().app, "NoOp");
    let later = after.with_context(context("two"));
    assert_eq!(later.step("stasis-x", "200", 1).unwrap().args, "two");
    let without = later.without_context("stasis-x").without_context("nothing");
    assert!(!without.matches("stasis-x", "200") && without.matches("a", "1"));
    assert!(later.matches("stasis-x", "200"));
    assert!(Context::new("x").extension("_[", &[]).is_err());
    assert!(Context::new("x").extension("1", &["Anwser"]).is_err());
}

#[test]
fn a_chain_of_many_includes_is_followed_to_its_end() {
    let link = |at: usize| format!("[c{at}]\ninclude => c{}\n", at + 1);
    let chain: String = (0..20_000).map(link).collect();
    let dialplan = conf(&(chain + "[c20000]\ninclude => c0\nexten => 1,1,NoOp\n"));
    assert!(dialplan.matches("c0", "1"));
}

#[test]
fn the_context_made_for_an_application_goes_with_it_and_a_users_own_stays() {
    let bus = Bus::new(Settings::default()).unwrap();
    let own = conf("[stasis-own]\nexten => 1,1,NoOp\n");
    let mut exchange =
        Exchange::new(&bus, Default::default(), own.clone(), Epoch::default()).unwrap();
    let apps = ["own", "other"].map(|name| AppName::new(name).unwrap());
    let registered = apps.each_ref().map(|app| exchange.register(app, |_| ()).0);
    // The same with another dialplan.
    exchange.set_dialplan(own);
    assert!(exchange.dialplan().matches("stasis-other", "7"));
    assert!(exchange.dialplan().matches("stasis-own", "1"));
    assert!(!exchange.dialplan().matches("stasis-own", "7"));
    apps.iter().zip(registered).for_each(|(app, registered)| exchange.deactivate(app, registered));
    assert!(exchange.dialplan().contexts().eq(["stasis-own"]));
}
