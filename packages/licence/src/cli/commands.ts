export { runTour, type TourOutcome, type TourPorts } from './tour.ts'
export { type CastMember, TOUR_PERSON, type TourCast, tourLicence } from './tour-cast.ts'
