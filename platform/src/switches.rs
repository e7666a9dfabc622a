//! What is not known of the real platform, each as a switch: the product must be right in every position.

/// One position of every switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switches {
    /// Whether a stable key is unique in the organization.
    pub unique_keys: bool,
    /// Whether an update of inputs replaces all of them, or merges.
    pub replaces_inputs: bool,
    /// Whether the values of PASSWORD inputs are readable.
    pub readable_passwords: bool,
    /// Whether a connection in use can be deleted.
    pub deletes_in_use: bool,
    /// Whether an import with an unknown stable key is refused, or creates a placeholder.
    pub refuses_unknown_keys: bool,
    /// Whether `meta` is returned in upper case.
    pub upper_case_meta: bool,
    /// Whether connections have the field `treeLocation`.
    pub has_tree_location: bool,
    /// Whether an update disconnects those who signed in.
    pub update_disconnects: bool,
    /// Whether integrations have the field `updatedAt`.
    pub has_updated_at: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Switches {
            unique_keys: true,
            replaces_inputs: true,
            readable_passwords: false,
            deletes_in_use: false,
            refuses_unknown_keys: true,
            upper_case_meta: false,
            has_tree_location: true,
            update_disconnects: false,
            has_updated_at: true,
        }
    }
}

impl Switches {
    /// Positions in which every pair of switches has every pair of positions: the rows of an orthogonal array of
    /// strength 2 for up to 15 switches.
    pub fn pairs() -> impl Iterator<Item = Switches> {
        (0..16_u32).map(|row| {
            // Column c of the array: the parity of row & c, for c from 1 to 15.
            let on = |column: u32| (row & column).count_ones() % 2 == 1;
            Switches {
                unique_keys: on(1),
                replaces_inputs: on(2),
                readable_passwords: on(3),
                deletes_in_use: on(4),
                refuses_unknown_keys: on(5),
                upper_case_meta: on(6),
                has_tree_location: on(7),
                update_disconnects: on(8),
                has_updated_at: on(9),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_pair_of_switches_has_every_pair_of_positions() {
        let bits = |s: Switches| {
            [
                s.unique_keys,
                s.replaces_inputs,
                s.readable_passwords,
                s.deletes_in_use,
                s.refuses_unknown_keys,
                s.upper_case_meta,
                s.has_tree_location,
                s.update_disconnects,
                s.has_updated_at,
            ]
        };
        let rows: Vec<_> = Switches::pairs().map(bits).collect();
        for a in 0..9 {
            for b in a + 1..9 {
                let seen: BTreeSet<_> = rows.iter().map(|row| (row[a], row[b])).collect();
                assert_eq!(seen.len(), 4, "{a} {b}");
            }
        }
    }
}
