//! Base64 into a buffer of our own: what is written of a Secret must leave no copy behind.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// How long `bytes` bytes become.
pub(super) const fn encoded_len(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}

/// Appends `bytes` in base64 with padding.
pub(super) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let group = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let index = (group >> (18 - 6 * digit) & 63) as usize;
            let padding = digit > chunk.len();
            out.push(if padding { b'=' } else { ALPHABET.get(index).copied().unwrap_or(b'=') });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_api_server_reads_what_was_written(bytes in proptest::collection::vec(any::<u8>(), 0..70)) {
            let mut text = Vec::new();
            encode(&bytes, &mut text);
            prop_assert_eq!(text.len(), encoded_len(bytes.len()));
            let json = format!("\"{}\"", String::from_utf8(text).unwrap());
            prop_assert_eq!(serde_json::from_str::<ByteString>(&json).unwrap().0, bytes);
        }
    }
}
