//! Base64 into a given buffer, because encoding a Secret must leave no copy in memory.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Returns the encoded length of `bytes` bytes.
pub(crate) const fn encoded_len(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}

/// Appends `bytes` in base64 with padding.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let begin = out.len();
    out.resize(begin + encoded_len(bytes.len()), 0);
    let written = STANDARD.encode_slice(bytes, out.get_mut(begin..).unwrap_or_default());
    // The buffer was resized to the encoded length.
    out.truncate(begin + written.unwrap_or(0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_api_server_decodes_it(bytes in proptest::collection::vec(any::<u8>(), 0..70)) {
            let mut text = Vec::new();
            encode(&bytes, &mut text);
            prop_assert_eq!(text.len(), encoded_len(bytes.len()));
            let json = format!("\"{}\"", String::from_utf8(text).unwrap());
            prop_assert_eq!(serde_json::from_str::<ByteString>(&json).unwrap().0, bytes);
        }
    }
}
