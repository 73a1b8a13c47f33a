package vote

// Len returns how many reports of an observer are kept, also those about to be swept.
func (b *Book) Len(observer string) int {
	if of := b.ballots[observer]; of != nil {
		return len(of.reports)
	}
	return 0
}
