//! `/mailboxes`: how many messages wait.

use stasis_control::message::MailboxUpdate;

use crate::ari::model::Mailbox;
use crate::ari::operation::{Operation, Returns, command, delete, done, get, put};
use crate::ari::parameters::parameters;
use crate::ari::reply::Reply;

parameters! {
    struct One {
        /// Its name.
        Path "mailboxName" name: String;
    }

    struct Update {
        /// Its name.
        Path "mailboxName" name: String;
        /// Messages that were heard.
        Query "oldMessages" old: i64, default "0";
        /// Messages that were not.
        Query "newMessages" new: i64, default "0";
    }
}

impl<'a> From<&'a MailboxUpdate> for Mailbox<'a> {
    fn from(of: &'a MailboxUpdate) -> Self {
        Mailbox { name: &of.name, old_messages: of.old_messages, new_messages: of.new_messages }
    }
}

pub(super) fn operations() -> Vec<Operation> {
    let unknown = (404, "There is no such mailbox.");
    vec![
        get("/mailboxes", "list", |ari, ()| {
            let all = ari.state.mailboxes();
            done(Reply::ok(&all.iter().map(Mailbox::from).collect::<Vec<_>>()))
        })
        .says("All mailboxes.")
        .returns(Returns::List("Mailbox")),
        get("/mailboxes/{mailboxName}", "get", |ari, One { name }: One| {
            let found = ari.state.mailbox(&name);
            let found = found.ok_or_else(|| Reply::error(404, "Mailbox does not exist"))?;
            done(Reply::ok(&Mailbox::from(&found)))
        })
        .says("A mailbox.")
        .returns(Returns::Object("Mailbox"))
        .fails(&[unknown]),
        put("/mailboxes/{mailboxName}", "update", |_, Update { name, old, new }: Update| {
            command(move |exchange| {
                exchange.set_mailbox(&name, old, new);
                Ok(())
            })
        })
        .says("Sets how many messages wait in a mailbox, which is made if it is not there.")
        .fails(&[(400, "A number cannot be read."), unknown]),
        delete("/mailboxes/{mailboxName}", "delete", |_, One { name }: One| {
            command(move |exchange| exchange.delete_mailbox(&name))
        })
        .says("Deletes a mailbox.")
        .fails(&[unknown]),
    ]
}
