//! Users: who may ask for something, and how they say who they are.
//!
//! A password is configured as it is, as crypt(3) has it (`$6$…`, SHA-512; `$5$…`, SHA-256), or as Argon2 has it
//! (`$argon2id$…`). Each is compared in a time that does not depend on how much of it is right, and an unknown
//! user takes as long as a known one with a wrong password.

use std::collections::BTreeMap;
use std::sync::Mutex;

use argon2::{Argon2, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha_crypt::ShaCrypt;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A user, as configured.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserSettings {
    /// As it is, or its hash: `$6$…`, `$5$…`, `$argon2id$…`. Empty: the user's name is a key that is all that is
    /// asked for (`api_key=NAME`).
    pub password: String,
    /// How the password is written: `plain`, `crypt` or `argon2`. Where it is left out, a text that begins with
    /// `$5$`, `$6$` or `$argon2` is a hash, and any other is the password itself.
    pub password_format: Option<String>,
    /// Whether the user may only look.
    pub read_only: bool,
}

/// Passwords are not for logs.
impl std::fmt::Debug for UserSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserSettings").field("read_only", &self.read_only).finish_non_exhaustive()
    }
}

/// A user cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UserError {
    /// The password is no hash of that kind.
    #[error("the password of user {user:?} is not written as {format}: {advice}")]
    Hash {
        /// Whose.
        user: String,
        /// The kind of hash.
        format: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// There is no such format.
    #[error("password_format {format:?} of user {user:?} is not known: use plain, crypt or argon2")]
    Format {
        /// Whose.
        user: String,
        /// What was written.
        format: String,
    },
    /// A name that cannot be told from a password.
    #[error(
        "the name {0:?} of a user is empty or has a colon in it, which divides name and password"
    )]
    Name(String),
}

/// Somebody who was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their name.
    pub name: String,
    /// Whether they may only look.
    pub is_read_only: bool,
}

enum Secret {
    /// The name is all that is asked for.
    Key,
    Plain(String),
    Crypt(String),
    Argon2(String),
}

struct Entry {
    user: User,
    secret: Secret,
    /// Of a password that was right, so that its hash need not be computed with each request.
    known: Mutex<Option<[u8; 32]>>,
}

/// All users.
pub struct Users {
    entries: BTreeMap<String, Entry>,
    /// Makes fingerprints of passwords useless to others.
    salt: [u8; 16],
}

impl Users {
    /// These.
    ///
    /// # Errors
    /// [`UserError`] for one that cannot be.
    pub fn new(settings: &BTreeMap<String, UserSettings>) -> Result<Self, UserError> {
        let mut entries = BTreeMap::new();
        for (name, settings) in settings {
            let secret = Secret::of(name, settings)?;
            let user = User { name: name.clone(), is_read_only: settings.read_only };
            entries.insert(name.clone(), Entry { user, secret, known: Mutex::default() });
        }
        Ok(Users { entries, salt: random_bytes() })
    }

    /// Who has this name and password; none: nobody.
    pub fn authenticate(&self, name: &str, password: &str) -> Option<&User> {
        let Some(entry) = self.entries.get(name) else {
            // As long as it takes to compare with what is kept of a hash.
            let _ = self.fingerprint(password).ct_eq(&[0; 32]);
            return None;
        };
        let is_right = match &entry.secret {
            Secret::Key => password.is_empty(),
            Secret::Plain(known) => {
                let (known, given) = (self.fingerprint(known), self.fingerprint(password));
                known.ct_eq(&given).into()
            }
            Secret::Crypt(_) | Secret::Argon2(_) => self.is_right(entry, password),
        };
        is_right.then_some(&entry.user)
    }

    /// A password against a hash, which is costly: what was right before is known.
    fn is_right(&self, entry: &Entry, password: &str) -> bool {
        let given = self.fingerprint(password);
        let known = entry.known.lock().ok().and_then(|known| *known);
        if known.is_some_and(|known| known.ct_eq(&given).into()) {
            return true;
        }
        let verify = || match &entry.secret {
            Secret::Crypt(hash) => {
                ShaCrypt::default().verify_password(password.as_bytes(), hash.as_str()).is_ok()
            }
            Secret::Argon2(hash) => {
                Argon2::default().verify_password(password.as_bytes(), hash.as_str()).is_ok()
            }
            Secret::Key | Secret::Plain(_) => false,
        };
        // That takes milliseconds: others have their turn meanwhile.
        let is_right = tokio::task::block_in_place(verify);
        if is_right && let Ok(mut known) = entry.known.lock() {
            *known = Some(given);
        }
        is_right
    }

    fn fingerprint(&self, password: &str) -> [u8; 32] {
        Sha256::new().chain_update(self.salt).chain_update(password).finalize().into()
    }

    /// Who has these credentials of HTTP: `Authorization: Basic …`.
    pub fn by_header(&self, header: &str) -> Option<&User> {
        let (scheme, encoded) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = STANDARD.decode(encoded.trim()).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (name, password) = text.split_once(':').unwrap_or((&text, ""));
        self.authenticate(name, password)
    }

    /// Who has this key: `api_key=NAME:PASSWORD`, or the name alone of one without a password.
    pub fn by_key(&self, key: &str) -> Option<&User> {
        let (name, password) = key.split_once(':').unwrap_or((key, ""));
        self.authenticate(name, password)
    }
}

impl Secret {
    fn of(name: &str, settings: &UserSettings) -> Result<Self, UserError> {
        let password = &settings.password;
        if name.is_empty() || name.contains(':') {
            return Err(UserError::Name(name.into()));
        }
        let looks_like = |beginnings: &[&str]| {
            beginnings.iter().any(|beginning| password.starts_with(beginning))
        };
        let format = match settings.password_format.as_deref() {
            Some(format) => format,
            None if looks_like(&["$5$", "$6$"]) => "crypt",
            None if looks_like(&["$argon2"]) => "argon2",
            None => "plain",
        };
        let bad = |format, advice| UserError::Hash { user: name.into(), format, advice };
        match format {
            "plain" if password.is_empty() => Ok(Secret::Key),
            "plain" => Ok(Secret::Plain(password.clone())),
            "crypt" => match ShaCrypt::default().verify_password(b"", password.as_str()) {
                Ok(()) | Err(sha_crypt::password_hash::Error::PasswordInvalid) => {
                    Ok(Secret::Crypt(password.clone()))
                }
                Err(_) => Err(bad("crypt", "make it by `mkpasswd -m sha-512`")),
            },
            "argon2" => match argon2::PasswordHash::new(password) {
                Ok(_) => Ok(Secret::Argon2(password.clone())),
                Err(_) => Err(bad("argon2", "make it by `argon2 SALT -id -e`")),
            },
            other => Err(UserError::Format { user: name.into(), format: other.into() }),
        }
    }
}

/// Bytes that nobody can guess.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without them nobody could be let in safely.
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    bytes
}

/// A password that nobody can guess: 32 characters.
pub fn random_password() -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random_bytes::<24>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash of `Hello world!` by crypt(3), as in the specification of SHA-crypt.
    const CRYPT: &str = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";

    fn users(of: &[(&str, UserSettings)]) -> Result<Users, UserError> {
        Users::new(&of.iter().map(|(name, user)| ((*name).to_owned(), user.clone())).collect())
    }

    fn with(password: &str) -> UserSettings {
        UserSettings { password: password.into(), ..UserSettings::default() }
    }

    #[test]
    fn a_user_is_known_by_name_and_password() {
        let read_only = UserSettings { read_only: true, ..with("look") };
        let users = users(&[("ann", with("se:cret")), ("bob", read_only)]).unwrap();
        assert!(users.authenticate("ann", "se:cret").is_some_and(|user| !user.is_read_only));
        assert!(users.by_key("bob:look").is_some_and(|user| user.is_read_only));
        assert!(users.by_key("ann:se:cret").is_some());
        assert!(users.by_header("Basic YW5uOnNlOmNyZXQ=").is_some());
        assert!(users.by_header("basic YW5uOnNlOmNyZXQ=").is_some());
        for (name, password) in
            [("ann", "secret"), ("ann", ""), ("eve", ""), ("", ""), ("bob", "look ")]
        {
            assert_eq!(users.authenticate(name, password), None, "{name}");
        }
        for header in ["Basic", "Basic !!", "Bearer YW5uOnNlOmNyZXQ=", "Basic YW5uOg==", ""] {
            assert_eq!(users.by_header(header), None, "{header}");
        }
    }

    #[test]
    fn a_user_without_a_password_is_a_key() {
        let users = users(&[("long-key", with(""))]).unwrap();
        assert!(users.by_key("long-key").is_some() && users.by_key("long-key:").is_some());
        assert!(users.by_key("long-key:x").is_none() && users.by_key("other").is_none());
    }

    #[test]
    fn passwords_may_be_hashed() {
        let hash = {
            use argon2::password_hash::PasswordHasher;
            let salt = b"saltsaltsalt";
            Argon2::default().hash_password_with_salt(b"secret", salt).unwrap().to_string()
        };
        let users = users(&[("a", with(CRYPT)), ("b", with(&hash))]).unwrap();
        for _ in 0..2 {
            assert!(users.authenticate("a", "Hello world!").is_some(), "also when it is known");
            assert!(users.authenticate("b", "secret").is_some());
            assert!(users.authenticate("a", "Hello world").is_none());
            assert!(
                users.authenticate("b", CRYPT).is_none()
                    && users.authenticate("a", CRYPT).is_none()
            );
        }
    }

    #[test]
    fn what_is_no_hash_is_said() {
        let format = |format: &str, password: &str| {
            let user = UserSettings { password_format: Some(format.into()), ..with(password) };
            users(&[("ann", user)]).err()
        };
        assert!(matches!(format("crypt", "secret"), Some(UserError::Hash { format: "crypt", .. })));
        assert!(matches!(
            format("argon2", "secret"),
            Some(UserError::Hash { format: "argon2", .. })
        ));
        assert!(matches!(format("md5", "secret"), Some(UserError::Format { .. })));
        assert_eq!(users(&[("a:b", with("x"))]).err(), Some(UserError::Name("a:b".into())));
        assert!(!format!("{:?}", with("secret")).contains("secret"));
    }
}
