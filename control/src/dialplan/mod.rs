//! The dialplan: what becomes of a call, by the extension that it is for.
