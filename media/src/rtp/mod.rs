//! RTP (RFC 3550, 3551) and telephone events (RFC 4733), without a socket or a clock.
