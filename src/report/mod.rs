//! The content of reports on plans and tenants, as values without layout and colour.

pub mod binding;
pub mod components;
pub mod matrix;
pub mod passed_over;
pub mod ranked;
pub mod status;
pub mod tally;
pub mod tenant_connection;
pub mod value;
pub mod waiting_write;
