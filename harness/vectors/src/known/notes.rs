//! The dictionary of flags.

const NOTES: [(&str, &str); 27] = [
    ("boundary", "At, or next to, the least or greatest value or length that is legal."),
    ("byte-order", "What little-endian readers or writers get wrong."),
    ("type", "One of the ten types, right in all."),
    ("direction", "A type that the sender's role may not send."),
    ("version", "Another version than 01 00."),
    ("undefined-type", "None of the ten types."),
    ("sequence", "A sequence number that is not the next one, or the last one there is."),
    ("uid", "A uid that the frame must not carry, or an unusual one that it may."),
    ("sid", "A sid that the frame must not carry, or an unusual one that it may."),
    ("aad", "The header is authenticated; here a byte of it is not the sealed one."),
    ("mac", "The mac was changed, or made in another way."),
    ("ciphertext", "The encrypted payload was changed."),
    ("nonce", "The nonce was made in another way."),
    ("key", "Another key than that of the phase and direction."),
    ("key-schedule", "Keys derived in another way."),
    ("etk", "An encrypted key share that is wrong."),
    ("padding", "RSA with another padding than RSAES-OAEP with SHA-256, MGF1-SHA-256 and an empty label."),
    ("encoding", "An OAEP encoded message with one part that RFC 8017 tells the receiver to check."),
    ("ciphertext-size", "An RSA ciphertext of another size than the modulus, or not less than it."),
    (
        "share-size",
        "Decrypts, but not to 32 bytes: refused as an etk (LOGIN-06, LOGIN-12) or as the cek of an envelope.",
    ),
    ("utf-8", "No UTF-8, or UTF-8 that looks odd."),
    ("exact-text", "Nearly one of the words that the specification has."),
    ("line-end", "LF is missing, doubled, or not alone."),
    ("uid-text", "Nearly 16 lower-case hexadecimal digits."),
    ("moved", "An envelope meant for another session, author or recipient."),
    ("line", "The line of an envelope is not its lower-case hexadecimal text."),
    ("large", "Long: described by a repeated part, and the result by its SHA-256."),
];

/// What a flag means.
pub(crate) fn note(flag: &str) -> &'static str {
    NOTES.iter().find(|(known, _)| *known == flag).map(|(_, note)| *note).expect("a flag of the dictionary")
}
