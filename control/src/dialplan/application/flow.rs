//! Where a call goes on, and what it remembers: `Goto` and its kin, `ExecIf`, `Set`.

use super::super::arguments::{arguments, split_at};
use super::super::number::truth;
use super::list::List;
use super::{Application, ArgumentError, Call};

/// A place in the dialplan; what is `None` stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The context.
    pub context: Option<String>,
    /// The extension.
    pub exten: Option<String>,
    /// The step of it.
    pub priority: PriorityOrLabel,
}

/// A step of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriorityOrLabel {
    /// By its number, from 1.
    Priority(u32),
    /// By its name.
    Label(String),
}

const TARGET: &str = "place: write [[context,]extension,]priority, a number from 1 or a label";
const SET: &str = "assignment: write NAME=value";

/// Reads `[[context,]extension,]priority`.
pub(super) fn target(list: &List) -> Result<Target, ArgumentError> {
    let wrong = || ArgumentError::Wrong { app: list.app, text: list.items.join(","), what: TARGET };
    let item = |at| list.text(at).ok_or_else(wrong);
    let (context, exten, step) = match list.items.len() {
        1 => (None, None, item(0)?),
        2 => (None, Some(item(0)?), item(1)?),
        3 => (list.text(0), list.text(1), item(2)?),
        _ => return Err(wrong()),
    };
    let number = step.bytes().all(|byte| byte.is_ascii_digit());
    let priority = match step.parse() {
        Ok(priority) if number && priority > 0 => PriorityOrLabel::Priority(priority),
        _ if number || step.contains(char::is_whitespace) => return Err(wrong()),
        _ => PriorityOrLabel::Label(step),
    };
    Ok(Target { context, exten, priority })
}

/// Reads `[[context,]extension,]priority(argument,...)`.
pub(super) fn gosub(list: &List) -> Result<Application, ArgumentError> {
    let mut items = list.items.clone();
    let mut args = Vec::new();
    if let Some(last) = items.last_mut()
        && let Some((step, inner)) = last.clone().trim_end().split_once('(')
    {
        *last = step.into();
        args = arguments(inner.strip_suffix(')').unwrap_or(inner));
    }
    Ok(Application::Gosub { target: target(&List { app: list.app, items })?, args })
}

/// Reads `condition?place:place`, either of them optional.
pub(super) fn goto_if(args: &str) -> Result<Application, ArgumentError> {
    let (condition, then, otherwise) = branches("GotoIf", args)?;
    let place = |text: &str| match text.trim() {
        "" => Ok(None),
        text => target(&List { app: "GotoIf", items: arguments(text) }).map(Some),
    };
    let (then, otherwise) = (place(then)?, place(otherwise)?);
    if then.is_none() && otherwise.is_none() {
        return Err(no_branch("GotoIf"));
    }
    Ok(Application::GotoIf { condition, then, otherwise })
}

/// Reads `condition?App(arguments):App(arguments)`, the second optional.
pub(super) fn exec_if(args: &str) -> Result<Application, ArgumentError> {
    let (condition, then, otherwise) = branches("ExecIf", args)?;
    let call = |text: &str| {
        let (name, args) = text.split_once('(').unwrap_or((text, ""));
        let app =
            Application::canonical(name).ok_or_else(|| ArgumentError::unknown(name.trim()))?;
        let args = args.strip_suffix(')').unwrap_or(args).to_owned();
        Ok(Call { app, args })
    };
    let otherwise = Some(otherwise.trim()).filter(|text| !text.is_empty()).map(call);
    Ok(Application::ExecIf {
        condition,
        then: call(then.trim())?,
        otherwise: otherwise.transpose()?,
    })
}

fn branches<'a>(
    app: &'static str,
    args: &'a str,
) -> Result<(bool, &'a str, &'a str), ArgumentError> {
    let (condition, branches) = split_at(args, '?').ok_or_else(|| no_branch(app))?;
    let (then, otherwise) = split_at(branches, ':').unwrap_or((branches, ""));
    Ok((truth(condition), then, otherwise))
}

fn no_branch(app: &'static str) -> ArgumentError {
    let form = if app == "ExecIf" {
        "ExecIf(condition?App(arguments):App(arguments))"
    } else {
        "GotoIf(condition?place:place)"
    };
    ArgumentError::Missing { app, what: "what to do", form }
}

/// Reads `NAME=value`. The `=` is looked for behind the name's own parentheses.
pub(super) fn assignment(app: &'static str, text: &str) -> Result<(String, String), ArgumentError> {
    let wrong = || ArgumentError::Wrong { app, text: text.into(), what: SET };
    let (name, value) = split_at(text, '=').ok_or_else(wrong)?;
    let name = name.trim();
    if name.trim_start_matches('_').is_empty() {
        return Err(wrong());
    }
    Ok((name.into(), value.into()))
}

pub(super) fn assignments(list: &List) -> Result<Vec<(String, String)>, ArgumentError> {
    if list.items.is_empty() {
        list.needed(0, "a name and a value", "MSet(NAME=value,...)")?;
    }
    list.items.iter().map(|item| assignment(list.app, item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, args: &str) -> Application {
        Application::parse(name, args).unwrap_or_else(|error| panic!("{error}"))
    }

    fn place(context: Option<&str>, exten: Option<&str>, label: &str) -> Target {
        let priority = PriorityOrLabel::Label(label.into());
        Target { context: context.map(Into::into), exten: exten.map(Into::into), priority }
    }

    #[test]
    fn a_place_has_one_to_three_parts() {
        let goto = |target| Application::Goto { target };
        assert_eq!(parse("Goto", "here"), goto(place(None, None, "here")));
        assert_eq!(parse("Goto", "s,here"), goto(place(None, Some("s"), "here")));
        assert_eq!(parse("goto", "c,s,here"), goto(place(Some("c"), Some("s"), "here")));
        let priority = PriorityOrLabel::Priority(10);
        let target = Target { context: None, exten: None, priority };
        assert_eq!(parse("Goto", "10"), goto(target));
        for wrong in ["", ",", "0", "a b", "s,", "a,b,c,d", "99999999999"] {
            assert!(Application::parse("Goto", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_condition_chooses_between_places() {
        let (then, otherwise) = (Some(place(None, None, "a")), Some(place(None, Some("s"), "b")));
        let both = Application::GotoIf { condition: true, then, otherwise: otherwise.clone() };
        assert_eq!(parse("GotoIf", "1?a:s,b"), both);
        let one = Application::GotoIf { condition: false, then: None, otherwise };
        assert_eq!(parse("GotoIf", "0?:s,b"), one);
        for wrong in ["", "1", "1?", "1?:"] {
            assert!(Application::parse("GotoIf", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_condition_chooses_between_applications() {
        let call = |app, args: &str| Call { app, args: args.into() };
        let then = call("Playback", "a:b,c");
        let otherwise = Some(call("NoOp", ""));
        let expected = Application::ExecIf { condition: false, then, otherwise };
        assert_eq!(parse("ExecIf", "?playback(a:b,c):NoOp"), expected);
        assert!(Application::parse("ExecIf", "1?Nothing()").is_err());
        assert!(Application::parse("ExecIf", "1").is_err());
    }

    #[test]
    fn a_subroutine_is_given_arguments() {
        let args = vec!["1".into(), "b,c".into()];
        let expected = Application::Gosub { target: place(Some("sub"), Some("s"), "go"), args };
        assert_eq!(parse("Gosub", "sub,s,go(1,\"b,c\")"), expected);
        let expected = Application::Gosub { target: place(None, None, "go"), args: Vec::new() };
        assert_eq!(parse("Gosub", "go"), expected);
        assert_eq!(parse("Return", "x"), Application::Return { value: "x".into() });
    }

    #[test]
    fn what_is_set_has_a_name_and_any_value() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let set = |pair| Application::Set { assignments: vec![pair] };
        assert_eq!(parse("Set", "__A=b=c,\"d\""), set(pair("__A", "b=c,\"d\"")));
        assert_eq!(parse("Set", "CALLERID(x=y) = 5"), set(pair("CALLERID(x=y)", " 5")));
        let several = vec![pair("A", "1"), pair("_B", "2,3")];
        assert_eq!(parse("MSet", "A=1,_B=\"2,3\""), Application::MSet { assignments: several });
        for wrong in ["", "A", "=1", "__=1"] {
            assert!(Application::parse("Set", wrong).is_err(), "{wrong}");
            assert!(Application::parse("MSet", wrong).is_err(), "{wrong}");
        }
    }
}
