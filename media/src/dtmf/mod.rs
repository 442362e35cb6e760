//! DTMF: digits, the in-band generator and detector (ITU-T Q.23, Q.24).
