//! Codecs: how samples become payload bytes and back.
