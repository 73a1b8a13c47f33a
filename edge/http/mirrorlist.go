package http

// A StatisticsLog is a stub for now.
type StatisticsLog struct{}

func (s *Server) mirrorlist(r *request) { r.kind = Mirrorlist }
