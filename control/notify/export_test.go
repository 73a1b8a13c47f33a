package notify

// Compose is for tests of what mails look like.
var Compose = compose
