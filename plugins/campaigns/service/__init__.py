"""The rules of campaigns: what may be kept and changed, how one moves from state to state, and the clock."""
