//! What is shown of plans and tenants, as values: no layout, no colour.

pub mod binding;
pub mod matrix;
pub mod passed_over;
pub mod ranked;
pub mod status;
pub mod tally;
pub mod value;
